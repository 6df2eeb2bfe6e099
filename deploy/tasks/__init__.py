"""The tasks: one module for each verb, which parses, calls, and turns the end into an exit code.

Importing this package must stay cheap, since shell completion imports it at every key: what needs
YAML, SSH or a terminal's table is imported when a task runs.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from invoke import Collection, Task, task

from deploy.settings.names import environments
from deploy.tasks import (
    check,
    deploy,
    exec,
    history,
    logs,
    plan,
    rollback,
    sandbox,
    sandbox_load,
    schema,
    status,
)
from deploy.tasks.edge import guarded

Maker = Callable[[Path, str], "Task[object]"]

VERBS: dict[str, Maker] = {
    "check": check.make,
    "deploy": deploy.make,
    "exec": exec.make,
    "history": history.make,
    "logs": logs.make,
    "plan": plan.make,
    "rollback": rollback.make,
    "status": status.make,
}


def folder_of_caller() -> Path:
    """The folder of the file two calls up: the `tasks.py` that asks for its namespace."""
    return Path(sys._getframe(2).f_globals["__file__"]).resolve().parent


def build(root: Path) -> Collection:
    """Return `VERB.ENVIRONMENT` for every verb and every file in `hosts/`, and the other tasks."""
    names = environments(root)
    usual = default_environment(root, names)
    namespace = Collection()
    for verb, make in VERBS.items():
        collection = Collection(verb)
        for name in names:
            collection.add_task(make(root, name), default=name == usual)
        if usual is None:
            collection.add_task(_choose(verb, names), default=True)
        namespace.add_collection(collection)
    namespace.add_task(schema.schema)
    namespace.add_collection(
        Collection("sandbox", sandbox.up, sandbox.down, sandbox.release, sandbox_load.load)
    )
    return namespace


def default_environment(root: Path, names: list[str]) -> str | None:
    """The environment of a bare verb: DEPLOY_ENVIRONMENT, else invoke.yaml, else the only one."""
    asked = os.environ.get("DEPLOY_ENVIRONMENT", "")
    if not asked:
        try:
            text = (root / "invoke.yaml").read_text(encoding="utf-8")
        except OSError:
            text = ""
        # One scalar of one file: not worth the 20 ms that a YAML parser takes to import.
        found = re.search(r"^default_environment:[ \t]*[\"']?([\w.-]+)", text, re.MULTILINE)
        asked = found.group(1) if found else ""
    if asked in names:
        return asked
    return names[0] if len(names) == 1 and not asked else None


def _choose(verb: str, names: list[str]) -> Task[object]:
    @task(name="which")
    @guarded
    def which(_c: object) -> None:
        """Say which environments there are."""
        from deploy.errors import UsageError

        choices = ", ".join(f"{verb}.{name}" for name in names) or "none: hosts/ has no *.yaml"
        raise UsageError(
            f"{verb} which environment?",
            mend=f"{choices}. A bare verb takes DEPLOY_ENVIRONMENT, or default_environment in "
            "invoke.yaml.",
        )

    return which

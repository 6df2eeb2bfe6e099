"""The tasks: one module for each verb, which parses, calls, and turns the end into an exit code.

Importing this package must stay cheap, since shell completion imports it at every key: what needs
YAML, SSH or a terminal's table is imported when a task runs.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.collection import Collection

from deploy.settings.names import environments
from deploy.tasks import (
    backup,
    cdn,
    check,
    deploy,
    exec,
    history,
    lock,
    logs,
    migrate,
    plan,
    recover,
    report,
    restore,
    rollback,
    sandbox,
    sandbox_load,
    schema,
    setup,
    smoke,
    status,
)
from deploy.tasks.edge import Verb, verb

if TYPE_CHECKING:
    from invoke.context import Context

Maker = Callable[[Path, str], Verb]

VERBS: dict[str, Maker] = {
    "backup": backup.make,
    "cdn": cdn.make,
    "check": check.make,
    "deploy": deploy.make,
    "exec": exec.make,
    "history": history.make,
    "lock": lock.lock,
    "logs": logs.make,
    "migrate": migrate.make,
    "plan": plan.make,
    "recover": recover.make,
    "report": report.make,
    "restore": restore.make,
    "rollback": rollback.make,
    "setup": setup.make,
    "smoke": smoke.make,
    "status": status.make,
    "unlock": lock.unlock,
}


def folder_of_caller() -> Path:
    """The folder of the file two calls up: the `tasks.py` that asks for its namespace."""
    return Path(sys._getframe(2).f_globals["__file__"]).resolve().parent


def build(root: Path, typed: Sequence[str] | None = None) -> Collection:
    """Return `VERB.ENVIRONMENT` for every verb and every file in `hosts/`, and the other tasks.

    Args:
        root: the folder that holds `hosts/`.
        typed: the words of the command line; None: this process's.
    """
    names = environments(root)
    usual = default_environment(root, names)
    words = sys.argv[1:] if typed is None else typed
    namespace = Collection()
    for word, make in VERBS.items():
        collection = Collection(word)
        for name in [*names, *_misnamed(word, names, words)]:
            collection.add_task(make(root, name), default=name == usual)
        if usual is None:
            collection.add_task(_choose(root, word, names), default=True)
        namespace.add_collection(collection)
    namespace.add_task(schema.schema)
    namespace.add_collection(
        Collection(
            "sandbox",
            sandbox.up,
            sandbox.down,
            sandbox.release,
            sandbox.break_,
            sandbox.told,
            sandbox_load.load,
        )
    )
    return namespace


def _misnamed(word: str, names: list[str], words: Sequence[str]) -> list[str]:
    """The environments that were typed after this verb and do not exist.

    Invoke ends with 1 and "No idea what it is" for a task that it does not know, and asks nobody
    first. So there is one of that name, which finds no file, names the near ones, and ends with 2.
    What follows `--` is not for a task: it is a line that the shell wants completed.
    """
    words = words[: words.index("--")] if "--" in words else words
    found = (re.fullmatch(rf"{word}\.([\w-]+)", one, re.ASCII) for one in words)
    known = {name.replace("_", "-") for name in names}
    return [
        name
        for name in dict.fromkeys(one.group(1).replace("_", "-") for one in found if one)
        if name not in known
    ]


def default_environment(root: Path, names: list[str]) -> str | None:
    """The environment of a bare verb: DEPLOY_ENVIRONMENT, else invoke.yaml, else the only one."""
    asked, _ = _asked(root)
    if asked in names:
        return asked
    return names[0] if len(names) == 1 and not asked else None


def _asked(root: Path) -> tuple[str, str]:
    """The name that somebody gave for a bare verb, or "", and where it stands."""
    asked = os.environ.get("DEPLOY_ENVIRONMENT", "")
    if asked:
        return asked, "DEPLOY_ENVIRONMENT"
    try:
        text = (root / "invoke.yaml").read_text(encoding="utf-8")
    except OSError:
        return "", ""
    # One scalar of one file: not worth the 20 ms that a YAML parser takes to import.
    found = re.search(r"^default_environment:[ \t]*[\"']?([\w.-]+)", text, re.MULTILINE)
    return (found.group(1), "invoke.yaml") if found else ("", "")


def _choose(root: Path, word: str, names: list[str]) -> Verb:
    @verb(name="which", help={}, doc="Say which environments there are.")
    def which(_c: Context) -> None:
        from deploy.errors import UsageError

        asked, where = _asked(root)
        choices = ", ".join(f"{word}.{name}" for name in names) or "none: hosts/ has no *.yaml"
        raise UsageError(
            f"{where} says {asked}, and there is no hosts/{asked}.yaml"
            if asked
            else f"{word} which environment?",
            state="Nothing has been changed.",
            mend=f"There is {choices}. A bare verb takes DEPLOY_ENVIRONMENT, or "
            "default_environment in invoke.yaml.",
        )

    return which

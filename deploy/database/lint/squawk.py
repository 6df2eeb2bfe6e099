"""squawk, which reads PostgreSQL's grammar as PostgreSQL does: run as a program of its own.

Only its rules that have a name of ours are listened to. What could silence it, a `.squawk.toml` of
the project or a `-- squawk-ignore` in the text, does not reach it: it gets SQL without comments, in
an empty folder.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

SYNTAX = "unreadable"
_NEEDED = (2, 70)
_TIMEOUT = 120
_MEND = "Install what Headway needs: pip install 'squawk-cli>=2.70'"

RULES = {
    "syntax-error": SYNTAX,
    "adding-field-with-default": "rewrite",
    "adding-foreign-key-constraint": "constraint-scan",
    "adding-not-nullable-field": "set-not-null",
    "adding-required-field": "add-required-column",
    "adding-serial-primary-key-field": "unique-builds-index",
    "ban-alter-domain-with-add-constraint": "add-check",
    "ban-alter-generated-expression": "rewrite",
    "ban-alter-identity": "identity-always",
    "ban-drop-column": "drop-column",
    "ban-drop-constraint": "drop-constraint",
    "ban-drop-database": "drop-schema",
    "ban-drop-default": "drop-default",
    "ban-drop-domain": "drop-type",
    "ban-drop-extension": "drop-function",
    "ban-drop-function": "drop-function",
    "ban-drop-generated-expression": "drop-default",
    "ban-drop-not-null": "drop-not-null",
    "ban-drop-schema": "drop-schema",
    "ban-drop-sequence": "drop-sequence",
    "ban-drop-table": "drop-table",
    "ban-drop-type": "drop-type",
    "ban-drop-view": "drop-view",
    "ban-set-schema": "set-schema",
    "ban-truncate-cascade": "truncate",
    "changing-column-type": "change-type",
    "constraint-missing-not-valid": "constraint-scan",
    "disallowed-unique-constraint": "unique-builds-index",
    "renaming-column": "rename-column",
    "renaming-object": "rename-type",
    "renaming-table": "rename-table",
    "require-concurrent-index-creation": "index-blocks-writes",
    "require-concurrent-index-deletion": "index-blocks-writes",
    "require-concurrent-partition-detach": "lock-table",
    "require-concurrent-reindex": "lock-table",
}
"""squawk's rule → ours."""

OPTIONAL = {
    "ban-add-composite-attribute": "change-type",
    "ban-add-enum-value": "add-enum-value",
    "ban-alter-database-options": "opaque",
    "ban-alter-extension": "opaque",
    "ban-alter-policy-condition": "row-security",
    "ban-alter-policy-roles": "row-security",
    "ban-alter-role-options": "revoke",
    "ban-alter-row-level-security": "row-security",
    "ban-alter-sequence-values": "set-default",
    "ban-alter-system-options": "opaque",
    "ban-create-policy": "row-security",
    "ban-detach-inheritance": "delete",
    "ban-disable-trigger": "add-trigger",
    "ban-drop-policy": "row-security",
    "ban-drop-trigger": "add-trigger",
    "ban-revoke": "revoke",
    "ban-set-default": "set-default",
}
"""The same for those that squawk only applies when it is asked to."""


@dataclass(frozen=True)
class Notice:
    """What squawk says of a text: `text` is its position in what was given, `line` from 1."""

    text: int
    line: int
    rule: str
    message: str


def executable() -> str:
    """Return the path of squawk: beside this Python, else on PATH.

    Raises:
        Refused: there is none.
    """
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    found = str(beside) if beside.is_file() else shutil.which("squawk")
    if not found:
        raise Refused("squawk, which reads the migrations, is not installed", mend=_MEND)
    return found


def read(texts: Sequence[str], program: str | None = None) -> list[Notice]:
    """Return what squawk has to say of each text, under our rules' names.

    Args:
        texts: SQL without comments, one file's each.
        program: its path; None: it is looked for.

    Raises:
        Refused: squawk is missing or too old, failed, or said what nobody understands. Nothing has
            been judged then.
    """
    if not texts:
        return []
    program = program or executable()
    version(program)
    with tempfile.TemporaryDirectory(prefix="headway-squawk-") as folder:
        names = [f"{number}.sql" for number in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            (Path(folder) / name).write_text(text, encoding="utf-8", newline="")
        (Path(folder) / "none.toml").touch()
        asked = [f"--include={rule}" for rule in OPTIONAL]
        options = ["--config=none.toml", "--reporter=json", *asked]
        done = _run([program, *options, "--", *names], folder)
    if done.returncode not in {0, 1}:
        raise _failed(f"ended with {done.returncode}", done.stderr)
    return _notices(done.stdout, done.stderr, len(texts))


def version(program: str) -> tuple[int, ...]:
    """Return squawk's version, which is recent enough.

    Raises:
        Refused: it is older than 2.70, which lacks half of the rules, or does not say.
    """
    said = _run([program, "--version"], None).stdout
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    if not found:
        raise _failed("did not say its version", said)
    numbers = tuple(int(one) for one in found.groups())
    if numbers < _NEEDED:
        raise Refused(
            f"{program} is squawk {found.group()}, and the rules need 2.70 or newer", mend=_MEND
        )
    return numbers


def _run(argv: list[str], folder: str | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - a list of our own making
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
            env={},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed("could not be run", str(error)) from None


def _notices(text: str, stderr: str, count: int) -> list[Notice]:
    rules = RULES | OPTIONAL
    found = []
    try:
        for one in json.loads(text):
            number = int(str(one["file"]).removesuffix(".sql"))
            if not 0 <= number < count:
                raise ValueError(one["file"])
            rule = rules.get(str(one["rule_name"]))
            if rule is not None:
                # squawk counts lines from 0 in its JSON.
                found.append(Notice(number, int(one["line"]) + 1, rule, str(one["message"])))
    except (ValueError, KeyError, TypeError):
        raise _failed("said what cannot be read", stderr or text) from None
    return found


def _failed(what: str, said: str) -> Refused:
    lines = said.strip().splitlines()
    return Refused(
        f"squawk, which reads the migrations, {what}{': ' + lines[0][:200] if lines else ''}",
        state="Nothing has been judged, and nothing has been changed.",
        mend=_MEND,
    )

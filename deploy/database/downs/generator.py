"""drizzle-kit's own generator, as the project has it installed, run by Node over its snapshots."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.database.migrations.folder import Format
from deploy.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.database.downs.renames import Rename
    from deploy.database.migrations.folder import Folder, Migration

_PROGRAM = Path(__file__).with_name("propose.mjs")
_LOADED = 60.0
"""Seconds for Node to load drizzle-kit: 1 to 2 were measured, on a machine with nothing to do."""
_EACH = 2.0
"""Seconds for a migration; milliseconds were measured."""
_API = {Format.V0: "api.js", Format.V1: "api-postgres.js"}
_NEEDED = {Format.V0: "0.x", Format.V1: "1"}


@dataclass(frozen=True)
class Kit:
    """An installed drizzle-kit: its folder in a node_modules, and its version."""

    folder: Path
    version: str


@dataclass(frozen=True)
class Kept:
    """Values that a migration adds to an enum, and that stay."""

    enum: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What drizzle-kit makes of one migration.

    `up` and `down` are the statements from its snapshot before to the one after, and back. `error`
    is what it said instead, else "".
    """

    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    error: str = ""


def find_kit(place: Path, form: Format) -> Kit:
    """Return the drizzle-kit that Node would find from a folder of migrations.

    Raises:
        Refused: there is none, or it is not of the folder's format.
    """
    install = f"drizzle-kit@{'0.31' if form is Format.V0 else '1.0.0-rc.5'}"
    mend = f"Install the project's packages (npm ci), or add it: npm install --save-dev {install}"
    home = place.resolve()
    for folder in (home, *home.parents):
        kit = folder / "node_modules" / "drizzle-kit"
        if (kit / "package.json").is_file():
            break
    else:
        raise Refused(
            f"drizzle-kit, whose generator proposes the downs, is not installed: there is no "
            f"node_modules/drizzle-kit in {home} nor above it",
            mend=mend,
        )
    try:
        version = str(json.loads((kit / "package.json").read_bytes())["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{kit}/package.json cannot be read: {error}", mend=mend) from None
    if version.startswith("0.") != (form is Format.V0):
        raise Refused(
            f"{place} is a folder of drizzle-kit {_NEEDED[form]}, and {kit} is {version}",
            mend="Convert the folder with `npx drizzle-kit up`, or install the drizzle-kit that "
            "has made it.",
        )
    if not (kit / _API[form]).is_file():
        raise Refused(
            f"{kit} is {version}, which has no {_API[form]} to be asked by",
            mend=f"drizzle-kit 0.31 and 1.0.0-rc.5 have it: npm install --save-dev {install}",
        )
    return Kit(kit, version)


def generate(
    kit: Kit, folder: Folder, wanted: Mapping[Migration, Sequence[Rename]]
) -> dict[str, Answer]:
    """Return name → what drizzle-kit makes of each migration, all in one run of Node.

    Args:
        kit: the generator.
        folder: all migrations, since the snapshots of some build on those of others.
        wanted: the migrations, each with a snapshot, and the renames that they do.

    Raises:
        Refused: Node is missing, or it failed, or it took too long.
    """
    if not wanted:
        return {}
    node = shutil.which("node")
    if node is None:
        raise Refused(
            "Node, which drizzle-kit runs in, is not installed: there is no `node` on PATH",
            mend="Install it: https://nodejs.org",
        )
    with tempfile.TemporaryDirectory(prefix="headway-downs-") as name:
        job, answer = Path(name) / "job.json", Path(name) / "answer.json"
        job.write_text(json.dumps(_job(kit, folder, wanted)), encoding="utf-8")
        _run([node, str(_PROGRAM), str(job), str(answer)], _LOADED + _EACH * len(wanted), kit)
        try:
            said: dict[str, Any] = json.loads(answer.read_bytes())
            return {name: _answer(one) for name, one in said.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _failed(kit, f"left no answer: {error}") from None


def _run(argv: list[str], timeout: float, kit: Kit) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a list of our own making
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
    except subprocess.TimeoutExpired:
        raise _failed(kit, f"did not come to an end in {timeout:.0f} s") from None
    except OSError as error:
        raise _failed(kit, f"could not be run: {error}") from None
    if done.returncode:
        raise _failed(kit, f"ended with {done.returncode}: {_last(done.stderr)}")


def _last(text: str) -> str:
    """The line of Node's trace that says what happened, else its last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "Error: " in line), (lines or ["nothing was said"])[-1])


def _failed(kit: Kit, what: str) -> Refused:
    return Refused(
        f"drizzle-kit {kit.version} {what}",
        state="No down has been written.",
        mend="See whether drizzle-kit itself works: npx drizzle-kit check",
    )


def _job(kit: Kit, folder: Folder, wanted: Mapping[Migration, Sequence[Rename]]) -> dict[str, Any]:
    there = [(one, _json(one)) for one in folder.migrations if one.snapshot is not None]
    pairs = []
    before = None
    for one, snapshot in there:
        if one in wanted:
            pair: dict[str, Any] = {
                "name": one.name,
                "renames": [rename.as_dict for rename in wanted[one]],
            }
            if folder.format is Format.V0:
                pair |= {"before": before, "after": snapshot}
            pairs.append(pair)
        before = snapshot
    return {
        "kit": str(kit.folder),
        "format": folder.format.value,
        "snapshots": {one.name: told for one, told in there} if folder.format is Format.V1 else {},
        "pairs": pairs,
    }


def _json(migration: Migration) -> Any:
    try:
        return json.loads(migration.snapshot or b"")
    except ValueError as error:
        raise Refused(f"the snapshot of {migration.name} cannot be read: {error}") from None


def _answer(said: Mapping[str, Any]) -> Answer:
    if "error" in said:
        return Answer(error=str(said["error"]))
    kept = tuple(
        Kept(
            one["name"] if one["schema"] == "public" else f"{one['schema']}.{one['name']}",
            tuple(one["values"]),
        )
        for one in said["kept"]
    )
    return Answer(tuple(said["up"]), tuple(said["down"]), kept)

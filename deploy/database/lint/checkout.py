"""The migrations folder of a checkout, as a pull request has it: no image, no host, no database."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from deploy import git
from deploy.database.lint.lint import File
from deploy.errors import Refused, UsageError

_JOURNAL = "meta/_journal.json"


def find(root: Path) -> Path:
    """Return the only migrations folder below `root` that git tracks.

    It is told by its `meta/_journal.json` (drizzle-kit 0.x) or its `NAME/migration.sql` (1.x).

    Raises:
        UsageError: there is none, there are several, or there is no checkout.
    """
    names = git.tracked(root, ".")
    if names is None:
        raise UsageError(
            f"{root} is no git checkout, so its migrations are not looked for",
            mend="Name their folder: --folder DIR",
        )
    paths = [PurePosixPath(name) for name in names]
    found = sorted(
        {
            path.parent.parent
            for path in paths
            if "node_modules" not in path.parts
            and (path.match(_JOURNAL) or (path.name == "migration.sql" and len(path.parts) > 1))
        }
    )
    if not found:
        raise UsageError(
            f"git tracks no migrations below {root}: no {_JOURNAL}, no NAME/migration.sql",
            mend="Name their folder: --folder DIR",
        )
    if len(found) > 1:
        raise UsageError(
            f"there are several folders of migrations: {', '.join(map(str, found))}",
            mend=f"Name the one that is meant: --folder {found[0]}",
        )
    return root / found[0]


def read(folder: Path) -> list[File]:
    """Return the migrations of a folder in the order in which they run.

    Raises:
        UsageError: it is no migrations folder.
        Refused: its journal can't be read, or names a file that is not there or not UTF-8.
    """
    if (folder / _JOURNAL).is_file():
        names = [f"{tag}.sql" for tag in _tags(folder / _JOURNAL)]
    else:
        names = sorted(f"{one.parent.name}/{one.name}" for one in folder.glob("*/migration.sql"))
    if not names and not (folder / _JOURNAL).is_file():
        raise UsageError(
            f"{folder} is no folder of migrations: no {_JOURNAL}, no NAME/migration.sql in it",
            mend="Name another: --folder DIR",
        )
    return [File(name, _text(folder, name)) for name in names]


def _tags(journal: Path) -> list[str]:
    try:
        entries = json.loads(journal.read_bytes())["entries"]
        return [str(entry["tag"]) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{journal} can't be read: {error}") from None


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_bytes().decode("utf-8")
    except OSError:
        raise Refused(f"{folder / _JOURNAL} names {name}, and there is no such file") from None
    except UnicodeDecodeError:
        raise Refused(f"{folder / name} is not UTF-8") from None


def new_since(folder: Path, files: list[File], revision: str) -> tuple[list[File], list[File]]:
    """Return the files that a commit does not have as they are, and those that it has.

    Raises:
        UsageError: git knows no such commit, or the folder is in no checkout.
    """
    had = git.tracked_at(folder, revision)
    changed = git.changed_since(folder, revision)
    if had is None or changed is None:
        raise UsageError(
            f"git knows no commit {revision} for {folder}",
            mend="A shallow clone lacks tags and older commits: git fetch --tags --unshallow",
        )
    known = set(had) - set(changed)
    return (
        [one for one in files if one.path not in known],
        [one for one in files if one.path in known],
    )

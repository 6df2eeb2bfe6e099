"""`inv report.ENVIRONMENT [ID]`: the whole story of one run, as a page to keep or to send."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.tasks.backup import worded
from deploy.tasks.edge import Verb, show, situation

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.story.story import Story, Traffic


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    def report(
        _c: Context, run: str = "", out: str = "", json: bool = False, load: str = ""
    ) -> None:
        """Write the story of a run."""
        from deploy.page import report as page
        from deploy.story.codec import as_json
        from deploy.story.shelf import Shelf
        from deploy.tasks.leased import claim

        seen = _load(load) if load else None
        with situation(root, name) as one:
            own = one.environment
            shelf = Shelf(one.keeper, claim(one, "report"), own.app, own.name)
            story = shelf.get(run)
        if seen:
            story = replace(story, traffic=seen)
        if json and not out:
            print(as_json(story, indent=2))
            return
        out = out or file_of(name, story.id)
        write(Path(out), as_json(story, indent=2) + "\n" if json else page(story))
        show(f"{_told(story)}: {out}")

    return worded(
        report,
        name,
        f"Write the whole story of a run of {name} as a page of HTML.",
        {
            "run": "the run's id, as inv history has it, or how it begins; else the newest",
            "out": "the file to write (report-ENVIRONMENT-ID.html)",
            "json": "as JSON, on standard output or into --out",
            "load": "what a load saw meanwhile: the file that inv sandbox.load wrote",
        },
        words={"": 1},
    )


def _told(story: Story) -> str:
    run = story.started
    what = f"{run.verb} of {run.after} by {run.by}" if run and run.by else story.id
    return what if story.whole else f"{what}, as far as its record tells"


def file_of(name: str, id_: str) -> str:
    """The file's name where none is said: with the id, whatever the host says that is."""
    safe = re.sub(r"[^\w.-]", "_", id_, flags=re.ASCII)[:80]
    return f"report-{name}-{safe}.html"


def _load(file: str) -> Traffic:
    """Read a load's report.

    Raises:
        UsageError: it can't be read, or is none.
    """
    from deploy.errors import UsageError
    from deploy.story.traffic import traffic

    try:
        return traffic(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(
            f"{file} is no report of a load: {error}",
            mend="inv sandbox.load --out FILE writes one",
        ) from None


def write(file: Path, text: str) -> None:
    """Write a page for its owner alone: it says what hosts have said.

    Raises:
        UsageError: it can't be written.
    """
    from deploy.errors import UsageError

    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(text.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror}") from None

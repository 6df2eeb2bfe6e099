"""What each view makes of a sequence of events; run as a module, it writes the golden texts anew.

`python -m tests.views.render` from the repository's root; then read the difference.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deploy.views.github import GitHub
from deploy.views.plain import Plain
from deploy.views.terminal import Terminal

from .sequences import CASES, fleet, fleet_done

if TYPE_CHECKING:
    from deploy.events import Event

GOLDEN = Path(__file__).parent / "cases"


def plain(events: Sequence[Event]) -> str:
    stream = io.StringIO()
    view = Plain(stream)
    for event in events:
        view(event)
    return stream.getvalue()


def github(events: Sequence[Event]) -> str:
    """The log, and below a line the job's summary."""
    log, summary = github_parts(events)
    return f"{log}{'=' * 20} GITHUB_STEP_SUMMARY\n{summary}"


def github_parts(events: Sequence[Event]) -> tuple[str, str]:
    stream = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "summary.md")
        view = GitHub(stream, {"GITHUB_STEP_SUMMARY": str(path)})
        for event in events:
            view(event)
        return stream.getvalue(), path.read_text("utf-8") if path.exists() else ""


def picture(events: Sequence[Event], width: int = 80, height: int = 24) -> str:
    """What stands on a screen without colours after these events, with no live drawing at all.

    One second has passed since the last of them.
    """
    quiet = Console(file=io.StringIO(), force_terminal=True, width=width, height=height)
    view = Terminal(quiet, clock=lambda: events[-1].at + 1)
    for event in events:
        view(event)
    view.close()
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system=None, width=width, height=height).print(
        view.picture()
    )
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def golden() -> dict[str, str]:
    """Every golden text by its file's name."""
    texts = {}
    for name, events in CASES.items():
        texts[f"{name}.plain.txt"] = plain(events())
        texts[f"{name}.github.txt"] = github(events())
        texts[f"{name}.terminal.txt"] = picture(events())
    for name in ("success", "reverted"):
        texts[f"{name}.terminal-40.txt"] = picture(CASES[name](), width=40)
        midway = CASES[name]()[:22]
        texts[f"{name}.live.txt"] = picture(midway)
        texts[f"{name}.live-40.txt"] = picture(midway, width=40)
    texts["fleet.live.txt"] = picture(fleet(20), height=20)
    texts["fleet.terminal.txt"] = picture(fleet_done())
    return texts


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.iterdir():
        old.unlink()
    for file_name, text in golden().items():
        (GOLDEN / file_name).write_text(text, "utf-8")

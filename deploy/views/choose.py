"""Which view fits the process at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from deploy.views.github import Changes, GitHub, no_changes
from deploy.views.plain import Plain

if TYPE_CHECKING:
    from deploy.views import View


def choose(environ: Mapping[str, str], stream_out: TextIO, changes: Changes = no_changes) -> View:
    """In Actions the one for Actions, on a terminal the live table, else plain lines.

    A terminal that can't move its cursor (`TERM=dumb`), or has no characters beyond its own code
    page, gets plain lines. `NO_COLOR`, when set to anything, takes the colour from the table. What
    `changes` says is for the summary of a job in Actions.
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        return GitHub(stream_out, environ, changes)
    speaks_unicode = (stream_out.encoding or "").lower().replace("-", "").startswith("utf")
    if stream_out.isatty() and environ.get("TERM", "dumb") != "dumb" and speaks_unicode:
        # Only here: rich costs 0.1 s to import, and a log has no use for it.
        from rich.console import Console

        from deploy.views.terminal import Terminal

        console = Console(
            file=stream_out,
            force_terminal=True,
            no_color=bool(environ.get("NO_COLOR")),
            highlight=False,
            markup=False,
            emoji=False,
        )
        return Terminal(console)
    return Plain(stream_out)

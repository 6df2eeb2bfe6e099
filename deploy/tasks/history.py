"""`inv history.ENVIRONMENT`: what was deployed, when, by whom, how it ended, and DORA's figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.tasks.edge import Verb, show, situation, verb
from deploy.tasks.middle import in_the_middle
from deploy.tasks.report import file_of, write

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.dora import Figures
    from deploy.history import Entry


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Say what was deployed to {name}, by whom, how it ended, and DORA's four figures.",
        help={
            "json": "print it as JSON",
            "limit": "how many, the newest (20; on the page 200)",
            "html": "as a page of HTML, which links the reports that lie beside it",
            "out": "the page's file (history-ENVIRONMENT.html)",
        },
    )
    def history(
        _c: Context, json: bool = False, limit: int = 0, html: bool = False, out: str = ""
    ) -> None:
        """Say what was deployed."""
        import time
        from datetime import UTC, datetime

        from deploy import dora
        from deploy.history import entries, newer

        # A day more, as hosts have clocks of their own.
        begins = datetime.fromtimestamp(time.time() - (dora.DAYS[-1] + 1) * dora.DAY, UTC)
        with situation(root, name) as one:
            silent = list(one.gather_what_answers(f"{begins:%Y-%m-%dT%H:%M:%SZ}"))
            middle = in_the_middle(one)
        past = entries(one.facts)
        now = max(host.time for host in one.facts.values())
        figures = dora.figures(past, _made(one.environment.root, past), now)
        shown = past[-(limit or (200 if html else 20)) :]
        unread = newer(one.facts)
        if json:
            more = {"not_asked": silent, "not_read": unread, "dead": middle.as_json()}
            print(_as_json(shown, figures, more))
        elif html or out:
            from deploy.page import history as page

            file = Path(out or f"history-{name}.html")
            text = page(
                one.environment.app,
                name,
                shown,
                figures=figures,
                weeks=dora.weeks(past, now),
                reports=_reports(file.parent, name, shown),
                silent=silent,
                unread=unread,
                middle=middle.lines,
            )
            write(file, text)
            show(f"{len(shown)} runs of {name}: {file}")
        else:
            show("\n".join([*middle.lines, *_rendered(shown, figures, silent, unread)]))

    return history


def _made(root: Path, past: Sequence[Entry]) -> dict[str, list[int]]:
    """Deploy → when the commits that it brought were made, by the checkout."""
    from deploy import dora, git

    return {
        deploy: git.committed(root, before, own)
        for deploy, (before, own) in dora.deployed_since(past).items()
    }


def _reports(folder: Path, name: str, past: Sequence[Entry]) -> dict[str, str]:
    files = {one.deploy: file_of(name, one.deploy) for one in past}
    return {deploy: file for deploy, file in files.items() if (folder / file).is_file()}


def _as_json(past: Sequence[Entry], figures: Sequence[Figures], more: Mapping[str, object]) -> str:
    body: Mapping[str, object] = {
        "runs": [asdict(one) for one in past],
        "figures": [
            {**asdict(one), "per_week": one.per_week, "failure_rate": one.failure_rate}
            for one in figures
        ],
        **more,
    }
    return json.dumps(body, indent=2)


def _rendered(
    past: Sequence[Entry],
    figures: Sequence[Figures],
    silent: Sequence[str],
    unread: Sequence[str] = (),
) -> list[str]:
    from deploy.dora import in_words
    from deploy.views.text import one_line

    lines = []
    for one in reversed(past):
        when, verb = one_line(one.began[:16].replace("T", " ")), one_line(one.verb)
        ended = f"{one_line(one.tag):16}  {one.outcome:10}  {one_line(one.deploy)}"
        reason = f"   {one_line(one.reason)}" if one.reason else ""
        lines.append(f"  {when}  {verb:8}  {ended}  {one_line(one.by)}{reason}")
    if not past:
        lines = ["Nothing has been deployed yet."]
    lines += [
        "",
        "  in the last  " + "".join(f"{f'{one.days} days':28}" for one in figures).rstrip(),
    ]
    for what, texts in in_words(figures):
        lines.append(f"  {what:11}  " + "".join(f"{text:28}" for text in texts).rstrip())
    if silent:
        lines += ["", f"Not asked, as they do not answer: {', '.join(silent)}."]
    if unread:
        lines += ["", f"! What a newer Headway wrote is not shown: {', '.join(unread)}."]
    return lines

"""The message and the record of some runs; run as a module, it writes the golden texts anew.

`python -m tests.notify.render` from the repository's root; then read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.changelog import Change, Changelog
from deploy.events import Outcome, RunStarted
from deploy.notify.links import Links
from deploy.notify.message import message
from deploy.notify.record import record
from deploy.views.tally import Tally
from deploy.views.text import tidy

from ..views.sequences import CASES, Script

if TYPE_CHECKING:
    from deploy.events import Event

GOLDEN = Path(__file__).parent / "cases"
A, B = "a" * 40, "b" * 40
LINKS = Links(
    "https://github.com/acme/shop",
    "https://github.com/acme/shop/actions/runs/7",
    "https://github.com/acme/shop/actions/workflows/rollback.yml",
    "https://shop.example",
)
AUTHORS = ("Ana", "Bo")


def change(number: int, subject: str = "", pull: str = "") -> Change:
    return Change(f"{number:040x}", AUTHORS[number % 2], subject or f"Change {number}", pull)


SOME = Changelog(
    A,
    B,
    (change(1, "Coupons can be combined", "212"), change(2, "Fix a typo")),
    authors=AUTHORS,
)
MANY = Changelog(A, B, tuple(change(n, pull=str(n)) for n in range(1, 14)), authors=AUTHORS)
BACK = Changelog(B, A, taken_back=SOME.changes)
WORST = Changelog(
    A,
    B,
    (change(1, "<!channel> @here `x` *y* <https://evil.example|ok> & ::error::\x1b[31m"),),
    authors=("<@U123>", "@everyone"),
    lacking="<lacking>",
)
LACKING = Changelog("", B, (change(1),), lacking="the release before does not say its commit")


def known(events: Sequence[Event]) -> list[Event]:
    """The same events, with what the beginning of a real run knows as well."""
    return [
        replace(
            one, by="bo@github", commit=B, commit_before=A, author="Ana", approved_by="ana@github"
        )
        if isinstance(one, RunStarted)
        else one
        for one in events
    ]


def smoked() -> list[Event]:
    """A deploy that was looked at from outside, and a purge that failed."""
    script = Script()
    script.begin(hosts=("web-1",))
    script.step("migrate", "", 0.4, "0007_add_coupons, 0008_index_orders")
    script.step("settle", "web-1", 1.0)
    script.step("smoke", "", 5.2, "7 probes, 1 journey")
    text = "cloudflare was not purged: answered 503 (3 times); again: inv cdn.production"
    script.warn(text)
    script.end(Outcome.DONE, 0, "https://shop.example serves v1.5.0 on 1 host", "inv rollback")
    return script.events


def rolled_back() -> list[Event]:
    script = Script()
    script.begin(verb="rollback", before="v1.5.0", after="v1.4.2", hosts=("web-1", "web-2"))
    script.step("settle", "web-1", 1.0)
    script.step("settle", "web-2", 1.0)
    script.end(Outcome.DONE, 0, "https://shop.example serves v1.4.2 on 2 hosts", "inv deploy")
    return script.events


RUNS: dict[str, tuple[list[Event], Changelog, Links]] = {
    "success": (CASES["success"](), MANY, LINKS),
    "under-way": (CASES["success"]()[:22], SOME, LINKS),
    "first": (CASES["first"](), Changelog("", B, (change(1),), authors=("Bo",)), LINKS),
    "reverted": (CASES["reverted"](), SOME, LINKS),
    "failing": (CASES["reverted"]()[:-2], SOME, LINKS),
    "needs-person": (CASES["needs-person"](), LACKING, LINKS),
    "cancelled": (CASES["cancelled"](), SOME, Links()),
    "rolled-back": (rolled_back(), BACK, LINKS),
    "smoked": (smoked(), SOME, LINKS),
    "hostile": (CASES["hostile"](), WORST, LINKS),
}


def tally_of(events: Sequence[Event]) -> Tally:
    tally = Tally()
    for event in events:
        tally.take(tidy(event))
    return tally


def golden() -> dict[str, str]:
    """Every golden text by its file's name."""
    texts = {}
    for name, (events, changelog, links) in RUNS.items():
        tally = tally_of(known(events))
        texts[f"{name}.slack.json"] = _json(message(tally, changelog, links))
    for name in ("success", "reverted", "under-way"):
        events, _, links = RUNS[name]
        at = events[-1].at
        texts[f"{name}.record.json"] = _json(record(tally_of(known(events)), SOME, links, at))
    return texts


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for old in GOLDEN.iterdir():
        old.unlink()
    for file_name, text in golden().items():
        (GOLDEN / file_name).write_text(text, "utf-8")

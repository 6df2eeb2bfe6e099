"""What is asked at the end of every case of the fault suite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.faults import table
from tests.fleet.conftest import no_failure
from tests.fleet.project import Done, Project, unwell, within

if TYPE_CHECKING:
    from deploy.sandbox.load import Load
    from tests.faults.watched import Window


def ask(
    shop: Project,
    traffic: Load,
    done: Done,
    *,
    exit_code: int,
    version: str | set[str],
    first: Done | None = None,
    gone: Sequence[Window] = (),
) -> None:
    """Was every request answered; does every host serve one version, the right one?

    And did the exit code say what happened? Whether the next command converges is what `done` is,
    after `first`, in whose middle it befell: nothing is left of either for one that comes later.
    While a host is `gone`, nobody else can answer what it had in its hands, nor what the edge sends
    there until it has seen it; everything else is asked for all the same.
    """
    table.saw(traffic.report, first, done)
    assert done.exit_code == exit_code, done.text
    if gone:
        _lost_only_while(traffic, gone, done)
    else:
        no_failure(traffic)
    assert traffic.report.requests > 0
    found = shop.standings(shop.hosts)
    on = {one.release for one in found.values()}
    assert len(on) == 1, on
    (release,) = on
    assert release.rpartition("-")[0] in ({version} if isinstance(version, str) else version)
    assert unwell(found) == []
    Project.stands_on = release


def ask_whichever(
    shop: Project, traffic: Load, done: Done, *, old: str, new: str, gone: Sequence[Window] = ()
) -> None:
    """The same where chance decides how far a run comes: its end is the one that its code names.

    0: on the new version; 4: on the old one; 5: a person must look, and the next deploy converges.
    """
    assert done.exit_code in {0, 4, 5}, done.text
    if done.exit_code == 5:
        again = shop.deploy(new)
        ask(shop, traffic, again, exit_code=0, version=new, first=done, gone=gone)
        return
    version = new if done.exit_code == 0 else old
    ask(shop, traffic, done, exit_code=done.exit_code, version=version, gone=gone)


def _lost_only_while(traffic: Load, gone: Sequence[Window], done: Done) -> None:
    report = traffic.report
    lost = [
        report.started + second
        for second, counted in enumerate(report.timeline)
        # A request that was sent up to two seconds before may still be on its way.
        if counted.failed and not within(report.started + second, gone, slack=3)
    ]
    said = "\n".join(f"{at:.1f} {line}" for at, line in done.lines)
    assert lost == [], f"{report.failed} of {report.sent}: {report.reasons}, gone {gone}\n{said}"

"""A run as plain values: what the webhook sends and hooks read. Pure; no I/O."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.changelog import Changelog
    from deploy.notify.links import Links
    from deploy.views.tally import Tally

SCHEMA = 1


def record(tally: Tally, changelog: Changelog, links: Links, at: float) -> dict[str, Any]:
    """The run so far; what is not known yet is null, and what is not known at all "".

    Args:
        tally: of tidy events, the first of which has begun the run.
        changelog: what comes with it.
        links: to look at it.
        at: seconds since the epoch.
    """
    run, ended = tally.run, tally.ended
    assert run is not None  # noqa: S101 - nobody is told before
    return {
        "v": SCHEMA,
        "at": round(at, 3),
        "id": run.id,
        "verb": run.verb,
        "app": run.app,
        "environment": run.environment,
        "before": run.before,
        "after": run.after,
        "by": run.by,
        "approved_by": run.approved_by,
        "commit": run.commit,
        "commit_before": run.commit_before,
        "began": round(run.at, 3),
        "outcome": ended.outcome.value if ended else None,
        "exit_code": ended.exit_code if ended else None,
        "seconds": round(ended.seconds, 1) if ended else None,
        "message": ended.message if ended else None,
        "next": ended.next if ended else None,
        "hosts": [
            {
                "name": host.name,
                "settled": host.settled,
                "failed": host.failed,
                "undone": [one.text for one in host.undone],
                "seconds": round(host.seconds, 1),
            }
            for host in tally.hosts.values()
        ],
        "steps": [
            {"step": phase.name, "host": host, "detail": detail}
            for phase in tally.phases.values()
            for host, detail in phase.done.items()
        ],
        "failures": [
            {
                "step": one.step,
                "host": one.host,
                "reason": one.reason,
                "seen": one.seen,
                "detail": one.detail,
            }
            for one in tally.failures
        ],
        "warnings": [{"host": one.host, "text": one.text} for one in tally.warnings],
        "changelog": asdict(changelog),
        "links": {
            "run": links.run,
            "commit": links.commit(run.commit),
            "compare": links.compare(changelog.before, changelog.after),
        },
    }

"""What was deployed before, from what the hosts wrote down; and where the way back leads. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.facts import HostFacts
    from deploy.release import Release

SCHEMA = 1


@dataclass(frozen=True)
class Entry:
    """One deploy or rollback, put together from the journals of the hosts.

    `outcome` is done, reverted, failed or unfinished; times are ISO 8601, UTC, by hosts' clocks.
    """

    deploy: str
    verb: str
    release: str
    tag: str
    began: str
    ended: str
    by: str
    outcome: str
    hosts: tuple[str, ...]
    reason: str


def releases(facts: Mapping[str, HostFacts]) -> dict[str, Release]:
    """Every release that any host still has the files of, by id."""
    return {id_: one for host in facts.values() for id_, one in host.releases.items()}


def entries(facts: Mapping[str, HostFacts]) -> list[Entry]:
    """Past deploys and rollbacks, oldest first."""
    lines: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for host, one in facts.items():
        for line in one.journal:
            if line.get("v") == SCHEMA:
                lines.setdefault(line["deploy"], []).append((host, line))
    known = releases(facts)
    found = [_entry(deploy, said, known) for deploy, said in lines.items()]
    return sorted(found, key=lambda entry: entry.began)


def _entry(
    deploy: str, said: list[tuple[str, dict[str, Any]]], known: Mapping[str, Release]
) -> Entry:
    own = [(host, line) for host, line in said if line["verb"] != "revert"] or said
    what = {line["what"] for _, line in said}
    reverted = any(line["verb"] == "revert" for _, line in said)
    bad = [line for _, line in said if line["what"] in {"failed", "reverted"}]
    if bad or reverted:
        outcome = "reverted" if reverted or "reverted" in what else "failed"
    elif "done" in what:
        outcome = "done"
    else:
        outcome = "unfinished"
    first = own[0][1]
    release = first["release"]
    return Entry(
        deploy=deploy,
        verb=first["verb"],
        release=release,
        tag=known[release].tag if release in known else release.rpartition("-")[0],
        began=min(line["at"] for _, line in said),
        ended=max(line["at"] for _, line in said),
        by=first["by"],
        outcome=outcome,
        hosts=tuple(dict.fromkeys(host for host, _ in said)),
        reason=next((line["reason"] for line in bad if line["reason"]), ""),
    )


def way_back(past: list[Entry]) -> list[str]:
    """The ids of the releases that `rollback` walks down, the running one last.

    A deploy that ended well goes on top; a rollback takes off what it left behind, so that rolling
    back twice goes back two releases and never forward to what somebody has just left.
    """
    stack: list[str] = []
    for entry in past:
        if entry.outcome != "done":
            continue
        if entry.verb == "rollback" and entry.release in stack:
            del stack[stack.index(entry.release) + 1 :]
        elif not stack or stack[-1] != entry.release:
            stack.append(entry.release)
    return stack

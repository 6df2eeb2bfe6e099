"""What was deployed before, from what the hosts wrote down; and where the way back leads. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from deploy.errors import Refused
from deploy.lease.words import NEWER

if TYPE_CHECKING:
    from deploy.facts import HostFacts
    from deploy.release import Release

SCHEMA = 1
_WRONG = {"failed", "reverted", "refused"}
KEYS = {"deploy", "verb", "release", "what", "reason", "by", "at"}


@dataclass(frozen=True)
class Entry:
    """One deploy or rollback, put together from the journals of the hosts.

    `outcome` is done, reverted, failed, refused, unfinished, or rehearsed where no host was changed
    after that, as by `inv migrate`; times are ISO 8601, UTC, by hosts' clocks. `rehearsal` is what
    the rehearsal of its migrations has shown, "" without one; `commit` is what was deployed, ""
    where nobody knew or it did not come to its end.
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
    rehearsal: str = ""
    commit: str = ""


def releases(facts: Mapping[str, HostFacts]) -> dict[str, Release]:
    """Every release that any host still has the files of, by id."""
    return {id_: one for host in facts.values() for id_, one in host.releases.items()}


def running(facts: Mapping[str, HostFacts]) -> Release | None:
    """The release that most hosts are on; None where there is none, or none that is known."""
    known = releases(facts)
    counted = Counter(one.before for one in facts.values() if one.before in known)
    return known[counted.most_common(1)[0][0]] if counted else None


def entries(facts: Mapping[str, HostFacts]) -> list[Entry]:
    """Past deploys and rollbacks, oldest first; what a newer Headway wrote is passed over."""
    lines: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    orders: list[list[str]] = []
    for host, one in facts.items():
        read = [line for line in one.journal if _is_ours(line)]
        for line in read:
            lines.setdefault(line["deploy"], []).append((host, line))
        orders.append(list(dict.fromkeys(line["deploy"] for line in read)))
    known = releases(facts)
    found = {deploy: _entry(deploy, said, known) for deploy, said in lines.items()}
    return [found[deploy] for deploy in _merged(orders, found)]


def newer(facts: Mapping[str, HostFacts]) -> list[str]:
    """The hosts in whose journals a newer Headway has written, which `entries` passes over."""
    return [host for host, one in facts.items() if any(map(_is_newer, one.journal))]


def none_is_newer(facts: Mapping[str, HostFacts]) -> None:
    """Have it that every journal can be read, before a way back is looked for in them.

    Raises:
        Refused: one can't, and the way back would go past what is written there.
    """
    hosts = newer(facts)
    if hosts:
        raise Refused(
            f"a newer version of Headway has written in the journal of {', '.join(hosts)}, so the "
            "release before this one is not known",
            mend=f"{NEWER}; or say where to: --to TAG",
        )


def _is_newer(line: object) -> bool:
    written = line.get("v") if isinstance(line, dict) else None
    return isinstance(written, int) and written > SCHEMA


def _is_ours(line: object) -> bool:
    return isinstance(line, dict) and line.get("v") == SCHEMA and line.keys() >= KEYS


def _merged(orders: list[list[str]], found: Mapping[str, Entry]) -> list[str]:
    """Put the journals together: each host's own order holds, whatever its clock said.

    Of those that no host has an earlier one than, the one with the earliest time comes first. Where
    two hosts contradict each other, as two deploys at once can make them, the clocks decide.
    """
    merged: list[str] = []
    while orders := [order for order in orders if order]:
        heads = dict.fromkeys(order[0] for order in orders)
        free = [one for one in heads if not any(one in order[1:] for order in orders)]
        following = min(free or heads, key=lambda one: found[one].began)
        merged.append(following)
        orders = [[one for one in order if one != following] for order in orders]
    return merged


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
    elif "refused" in what:
        outcome = "refused"
    else:
        outcome = "rehearsed" if what == {"rehearsed"} else "unfinished"
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
        reason=_reason(line for _, line in said if line["what"] in _WRONG),
        rehearsal=_reason(line for _, line in said if line["what"] == "rehearsed"),
        commit=next((line["commit"] for _, line in said if line.get("commit")), ""),
    )


def _reason(lines: Iterable[Mapping[str, Any]]) -> str:
    return next((line["reason"] for line in lines if line["reason"]), "")


def way_back(past: list[Entry]) -> list[str]:
    """The ids of the releases that `rollback` walks down, the running one last.

    A deploy that ended well goes on top; a rollback takes off what it left behind, wherever else it
    stands, so that rolling back twice goes back two releases and never forward to what somebody has
    just left. A recovery is the one or the other.
    """
    stack: list[str] = []
    for entry in past:
        if entry.outcome != "done":
            continue
        if entry.verb in {"rollback", "recover"} and entry.release in stack:
            # A release may have been deployed more than once: back to its last time.
            top = len(stack) - 1 - stack[::-1].index(entry.release)
            left = set(stack[top + 1 :])
            kept = [one for one in stack[: top + 1] if one not in left]
            stack = [one for one, _ in groupby(kept)]
        elif not stack or stack[-1] != entry.release:
            stack.append(entry.release)
    return stack


def kept_backups(past: list[Entry], target: str) -> tuple[str, ...]:
    """The ids of the releases whose backups stay, in a run that goes to `target`.

    The current and the previous one, as they are now, and as they are once it has gone there: a
    rollback goes below both.
    """
    stack = way_back(past)
    found = [*stack[-2:], target]
    if target in stack:
        top = len(stack) - 1 - stack[::-1].index(target)
        found += stack[max(0, top - 1) : top]
    return tuple(dict.fromkeys(found))

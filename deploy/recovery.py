"""What a run that died has left, and how it is brought to a defined end.

It is finished where every roll had passed: every host of it serves the new release and was watched
through its bake. What a deploy asks after that and had not come to is asked then, and has the last
word. Else it is undone: every host goes back to what it was on. A rollback that died is finished in
any case: somebody wanted to be away from where it started.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deploy import history
from deploy.errors import Refused

if TYPE_CHECKING:
    from deploy.facts import HostFacts, Unfinished
    from deploy.journal import Dead
    from deploy.release import Release

Way = Literal["finish", "undo"]
_SETTLING = "settling"
_SWITCHED = "switched"
_ASKED = ("smoke", "")
"""The step of a deploy after which nothing puts it back any more."""


@dataclass(frozen=True)
class Recovery:
    """Which way is taken and why, and the release that every host then is on.

    `target` is None where nothing was deployed before: what was begun is taken away. `mends` is
    what comes first on hosts in the middle of a roll; `dead` are the runs. `provided`: it is
    finished if what the run had not asked yet is well, and undone if it is not.
    """

    way: Way
    why: str
    target: Release | None
    mends: Mapping[str, Literal["settle", "abandon"]]
    dead: Sequence[Dead]
    provided: bool = False

    def __str__(self) -> str:
        what = "; ".join(str(one) for one in self.dead) or "a roll was cut off"
        end = "finishing it" if self.way == "finish" else "taking it back"
        return f"{what}: {end}, as {self.why}"

    def of(self, host: str) -> str:
        """What comes of the roll that was cut off on a host, in words."""
        on = self.mends.get(host) == "settle"
        if not on:
            return "is begun anew" if self.way == "finish" else "is taken back"
        back = self.way == "undo" and self.target
        return (
            f"goes on to its end, and the host back to {back.tag}" if back else "goes on to its end"
        )


def about(
    dead: Collection[Dead], facts: Mapping[str, HostFacts], hosts: Collection[str]
) -> dict[str, HostFacts]:
    """Of these hosts those that it is about, with what is there: all, where no record says.

    A run with `--only-host` has left the others as they were, and so does what comes after it.
    """
    return {
        host: facts[host]
        for host in hosts
        if not dead or facts[host].unfinished or any(host in one.before for one in dead)
    }


def passed(dead: Dead, facts: Mapping[str, HostFacts]) -> bool:
    """Had every roll passed that could fail: does every host of it serve the release, watched?"""
    return facts.keys() >= dead.before.keys() and all(
        one.release == dead.release
        if one.unfinished is None
        else one.unfinished.release == dead.release
        and (one.unfinished.phase == _SETTLING or _watched(dead, host, one.unfinished))
        for host, one in facts.items()
    )


def _watched(dead: Dead, host: str, left: Unfinished) -> bool:
    """Had the roll that was left there passed its bake, by the record of the run that left it?

    A recovery that failed may have left another one since, to the same release.
    """
    its_own = left.deploy == dead.deploy and left.phase == _SWITCHED
    return its_own and ("switch", host) in dead.did


def apart(facts: Mapping[str, HostFacts]) -> history.Entry | None:
    """The last run, if it has ended with its hosts on different releases; nothing recovers that.

    Hosts that somebody has left out of a run that went well are no such thing.
    """
    past = [one for one in history.entries(facts) if one.outcome not in {"refused", "rehearsed"}]
    if not past or past[-1].outcome == "done":
        return None
    on = {facts[host].release for host in past[-1].hosts}
    return past[-1] if past[-1].release in on and len(on) > 1 else None


def recovery(
    dead: Sequence[Dead], facts: Mapping[str, HostFacts], asked: Way | None = None
) -> Recovery | None:
    """Say how what was left is brought to an end; None where nothing was left.

    Args:
        dead: the runs without an end, by their records, the oldest first.
        facts: host → what is there, of the hosts that it is about.
        asked: the way that somebody has chosen; None: by the rule.

    Raises:
        Refused: there is no such way.
    """
    if not dead and not any(one.unfinished for one in facts.values()):
        return None
    way, why = (asked, "as was asked") if asked else _rule(dead, facts)
    target = _target(dead, facts, way)
    mends: dict[str, Literal["settle", "abandon"]] = {}
    for host, one in facts.items():
        if one.unfinished is None:
            continue
        # Where the old containers are going already, the only way is on.
        going = one.unfinished.phase == _SETTLING
        wanted = target is not None and one.unfinished.release == target.id
        switched = bool(dead) and _watched(dead[-1], host, one.unfinished)
        mends[host] = "settle" if going or (wanted and switched) else "abandon"
    provided = not asked and way == "finish" and not _all_asked(dead[-1])
    return Recovery(way, why, target, mends, dead, provided)


def _all_asked(last: Dead) -> bool:
    return last.verb != "deploy" or _ASKED in last.did


def _rule(dead: Sequence[Dead], facts: Mapping[str, HostFacts]) -> tuple[Way, str]:
    if not dead:
        return "undo", "no record says how far it had come"
    last = dead[-1]
    if last.verb == "rollback":
        return "finish", "somebody wanted to be away from where it started"
    if passed(last, facts):
        if _all_asked(last):
            return "finish", f"every host serves {last.tag} and had passed all that could fail"
        later = "what was not asked yet has the last word"
        return "finish", f"every host serves {last.tag} and has passed its bake; {later}"
    on = [host for host, one in facts.items() if one.release == last.release and not one.unfinished]
    if on:
        return "undo", f"only {', '.join(on)} had come to the end of it"
    return "undo", "no host had come to the end of it"


def _target(dead: Sequence[Dead], facts: Mapping[str, HostFacts], way: Way) -> Release | None:
    known = history.releases(facts)
    if way == "finish":
        if not dead:
            raise Refused("no record says what was to be finished", mend="--undo takes it back.")
        wanted = dead[-1].release
    else:
        before = {release for release in dead[0].before.values() if release} if dead else set()
        if len(before) == 1:
            wanted = before.pop()
        else:
            history.none_is_newer(facts)
            stack = history.way_back(history.entries(facts))
            wanted = stack[-1] if stack else ""
    if not wanted:
        return None
    if wanted not in known:
        raise Refused(f"the files of {wanted} are no longer on any host")
    return known[wanted]

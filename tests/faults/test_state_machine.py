"""Deploys and rollbacks one after the other, with every command free to fail in every way.

Three questions are asked of each: did every host serve one version all the while, and one of
those meant; does the exit code say what happened; and does the next command converge? All of it is
done under the lease and on record, and what a run that died has left is what comes first.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from deploy.events import Outcome

from .faulty import Course, Fault
from .fleet import Fleet, Ran, Recovered

TAGS = ("v1", "v2", "v3")
AHEAD = st.sampled_from([1, 2, 1, 2, 0])
"""How many tags beyond the one that the fleet is on, round and round; 0: the same again."""
AT = st.one_of(st.none(), st.integers(0, 14))
AWAY = st.sampled_from([0.0, 10.0, 100.0, 1000.0])
FAULTS = st.one_of(
    st.builds(Fault, st.just("refuse"), twice=st.booleans()),
    st.builds(Fault, st.just("hang"), at=AT),
    st.builds(Fault, st.just("lose"), at=AT, gone=AWAY),
    st.builds(Fault, st.just("vanish"), gone=AWAY),
    st.builds(Fault, st.just("die"), at=AT),
    st.just(Fault("cancel")),
)
COMMANDS = st.sampled_from([*range(30), *range(4, 26), *range(4, 14)])
"""The number of a command: four read the hosts, four prepare, about ten roll, four verify."""
COURSES = st.builds(
    Course,
    st.dictionaries(COMMANDS, FAULTS, min_size=1, max_size=3),
    backwards=st.booleans(),
    on=st.booleans(),
)
DEATHS = st.builds(
    lambda number, at, on: Course({number: Fault("die", at)}, on=on),
    st.integers(8, 24),
    AT,
    st.booleans(),
)
ROLLOUTS = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["rolling", "blue-green"]),
        "canary": st.integers(0, 2),
        "max_parallel": st.integers(1, 3),
    }
)


class Deploys(RuleBasedStateMachine):
    """One fleet, from its first deploy on."""

    folder: Path

    @initialize(rollout=ROLLOUTS)
    def first(self, rollout: dict[str, object]) -> None:
        self.fleet = Fleet.new(self.folder, rollout)
        converges(self.fleet, "v1")
        converges(self.fleet, "v2")

    @rule(ahead=AHEAD, course=COURSES, following=AHEAD)
    def deploy(self, ahead: int, course: Course, following: int) -> None:
        self._ask(self.fleet.run(self._tag(ahead), course), following)

    @rule(died=DEATHS, ahead=AHEAD, course=COURSES, following=AHEAD)
    def deploy_after_a_death(
        self, died: Course, ahead: int, course: Course, following: int
    ) -> None:
        self._ask(self.fleet.run(self._tag(1), died), following)
        self._ask(self.fleet.run(self._tag(ahead), course), following)

    @rule(died=DEATHS, course=COURSES, following=AHEAD)
    def roll_back_after_a_death(self, died: Course, course: Course, following: int) -> None:
        self._ask(self.fleet.run(self._tag(1), died), None)
        self._ask(self.fleet.run(None, course), following)

    @rule(course=COURSES)
    def deploy_and_roll_back(self, course: Course) -> None:
        self._ask(self.fleet.run(self._tag(1), course), None)

    @rule(died=DEATHS, ahead=AHEAD, course=COURSES)
    def recover_after_a_death(self, died: Course, ahead: int, course: Course) -> None:
        self._ask(self.fleet.run(self._tag(ahead), died), None)
        self._ask(self.fleet.recover(course), ahead)
        recovers(self.fleet.copy())

    @rule()
    def time_passes(self) -> None:
        self.fleet.clock += 2000

    def _tag(self, ahead: int) -> str:
        now = self.fleet.machines["web-1"].current.partition("-")[0]
        return TAGS[(TAGS.index(now) + ahead) % len(TAGS)]

    def _ask(self, ran: Ran, following: int | None) -> None:
        if ran.recovered:
            is_one_release(ran.recovered)
        if ran.ended:
            tells_the_truth(self.fleet, ran)
        if not ran.ended or ran.ended.outcome is Outcome.CANCELLED:
            recovers(self.fleet.copy())
        converges(self.fleet.copy(), None if following is None else self._tag(following))


def converges(fleet: Fleet, tag: str | None) -> None:
    """A deploy of the tag, or a rollback (None), with no fault ends with every host settled."""
    ran = fleet.run(tag, Course())
    if tag is None and ran.refused:
        return  # there is nothing to go back to
    assert ran.ended, ran.refused
    assert ran.ended.exit_code == 0, ran.ended
    assert fleet.settled() == dict.fromkeys(fleet.machines, ran.release)


def recovers(fleet: Fleet) -> None:
    """With no fault, what was left comes to an end with every host settled, and is left no more."""
    ran = fleet.recover(Course())
    assert ran.refused is None
    if ran.recovered:
        assert ran.recovered.ended.exit_code == 0, ran.recovered.ended
        is_one_release(ran.recovered)
    assert fleet.left() == []
    assert not any(machine.next for machine in fleet.machines.values())


def is_one_release(recovered: Recovered) -> None:
    """Where a recovery says that every host is on a tag, each is, with all that it has."""
    ended = recovered.ended
    if ended.exit_code:
        return
    found = re.fullmatch(r"every host is on (\w+)(?:; \w+ was taken back)?", ended.message)
    assert found, ended
    assert {str(one).rpartition("-")[0] for one in recovered.on.values()} == {found[1]}, ended


def tells_the_truth(fleet: Fleet, ran: Ran) -> None:
    """What the exit code and the message say of each host is so."""
    assert ran.ended
    now, ended = fleet.settled(), ran.ended
    if ended.outcome in {Outcome.DONE, Outcome.NOTHING}:
        assert now == dict.fromkeys(fleet.machines, ran.release)
        return
    if ended.outcome is Outcome.REFUSED:
        assert now == ran.before
        return
    if fleet.keeper_is_there():
        stopped = [run.stopped for run in fleet.left() if run.run == fleet.run_id]
        assert stopped == ([True] if ended.outcome is Outcome.CANCELLED else []), ended
    if ended.outcome is Outcome.CANCELLED:
        return  # how each host is then, a recovery is asked
    stuck: list[str] = []
    if ended.exit_code == 5:
        found = re.match(r"(.+) could not be put back", ended.message)
        assert found, ended
        stuck = found[1].split(", ")
    else:
        assert ended.exit_code == 4, ended
    for name, release in now.items():
        before = ran.before[name]
        as_it_was = release is not None and before in {None, release}
        as_it_was = as_it_was and (release or "").rpartition("-")[0] == ran.told[name]
        if name not in stuck:
            assert as_it_was, f"{name} is on {release}, was on {before or ran.told[name]}: {ended}"
        else:
            assert not as_it_was or fleet.hosts[name].doubtful, f"{name} is as it was: {ended}"


@pytest.mark.timeout(3600)  # with `--all`
def test_whatever_befalls_a_deploy(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    Deploys.folder = tmp_path
    run_state_machine_as_test(
        Deploys,
        settings=settings(
            max_examples=1000 if request.config.getoption("--all") else 20,
            stateful_step_count=4,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""What holds of every plan, whatever the hosts are like."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .world import world

if TYPE_CHECKING:
    from pathlib import Path

CONTAINER = st.fixed_dictionaries(
    {},
    optional={
        "slot": st.sampled_from(["", "blue", "green"]),
        "state": st.sampled_from(["running", "exited", "restarting", "created"]),
        "health": st.sampled_from(["", "healthy", "unhealthy", "starting"]),
        "hash": st.just("another"),
    },
)
RIGHT = st.fixed_dictionaries(
    {
        "rolled": st.sampled_from([[], ["web"], ["worker"], ["prepare", "web", "worker"]]),
        "others": st.sampled_from([[], ["db"], ["proxy"]]),
        "now": st.just("v2"),
    },
    optional={
        "own_proxy": st.booleans(),
        "live": st.sampled_from([{}, {"web": "green"}]),
    },
)
ANY = st.tuples(
    RIGHT,
    st.fixed_dictionaries(
        {},
        optional={
            "now": st.sampled_from([None, "v0", "v1", "v2"]),
            "edited": st.just([".env"]),
            "unfinished": st.sampled_from(["staging", "staged", "switched", "settling"]),
            "override": st.just("another"),
            "containers": st.dictionaries(
                st.sampled_from(["web", "worker", "db", "prepare", "headway-proxy"]),
                st.lists(CONTAINER, max_size=3),
            ),
        },
    ),
).map(lambda both: both[0] | both[1])


def fleet(host: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    def named(hosts: list[dict[str, Any]]) -> dict[str, Any]:
        # One host at least rolls a service, or the hosts file would have none.
        first = {**hosts[0], "rolled": hosts[0]["rolled"] or ["web"]}
        return {f"h-{number}": one for number, one in enumerate([first, *hosts[1:]])}

    return st.fixed_dictionaries(
        {
            "hosts": st.lists(host, min_size=1, max_size=6).map(named),
            "verb": st.sampled_from(["deploy", "rollback"]),
            "replicas": st.fixed_dictionaries({"web": st.integers(1, 3)}),
            "rollout": st.fixed_dictionaries(
                {
                    "strategy": st.sampled_from(["rolling", "blue-green"]),
                    "canary": st.integers(0, 3),
                    "max_parallel": st.integers(1, 3),
                }
            ),
        }
    )


once = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@once
@given(case=fleet(ANY))
def test_waves_are_a_partition_of_what_is_rolled(tmp_path: Path, case: dict[str, Any]) -> None:
    made = world(case, tmp_path)
    plan = made.plan()
    assert sorted(plan.rolling) == sorted(host.host for host in plan.hosts if host.roll)
    assert len(set(plan.rolling)) == len(plan.rolling)
    assert all(plan.waves)
    assert [host.host for host in plan.hosts] == list(case["hosts"])
    for host in plan.hosts:
        assert host.roll == bool(host.why)
        assert not host.canary or (host.host,) in plan.waves
    rollout = made.environment.rollout
    if plan.verb == "deploy" and plan.strategy == "rolling":
        rolling = [w for w in plan.waves if made.wanted[w[0]].placement.rolled]
        assert all(len(wave) <= rollout.max_parallel for wave in rolling)
        assert sum(host.canary for host in plan.hosts) <= rollout.canary


@once
@given(case=fleet(ANY))
def test_a_plan_is_pure(tmp_path: Path, case: dict[str, Any]) -> None:
    made = world(case, tmp_path)
    before = copy.deepcopy((made.wanted, made.facts))
    first = made.plan()
    assert made.plan() == first
    assert (made.wanted, made.facts) == before
    assert world(case, tmp_path).plan() == first


@once
@given(case=fleet(RIGHT))
def test_what_is_right_is_left_alone(tmp_path: Path, case: dict[str, Any]) -> None:
    plan = world(case, tmp_path).plan()
    assert plan.empty
    assert [host.why for host in plan.hosts] == [()] * len(plan.hosts)


@once
@given(case=fleet(RIGHT), data=st.data())
def test_one_host_that_is_off_is_rolled_alone(
    tmp_path: Path, case: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(case["hosts"])))
    off = data.draw(
        st.sampled_from([{"now": "v1"}, {"edited": [".env"]}, {"unfinished": "staged"}])
    )
    case["hosts"][name] |= off
    assert world(case, tmp_path).plan().rolling == (name,)

"""After the last host: the plan, made anew, must be empty."""

from __future__ import annotations

import pytest

from deploy.errors import NeedsPerson
from deploy.plan import HostPlan, Plan
from deploy.steps.verify import Verify


def plan(**why: str) -> Plan:
    hosts = tuple(
        HostPlan(
            name.replace("_", "-"),
            "v2",
            bool(text),
            ("web",),
            False,
            tuple(filter(None, [text])),
            (),
        )
        for name, text in why.items()
    )
    waves = tuple((host.host,) for host in hosts if host.roll)
    return Plan("deploy", "shop", "staging", "v2-2", "v2", "v2", "", "rolling", hosts, waves, False)


def test_all_as_it_should_be() -> None:
    step = Verify(lambda: plan(web_1="", web_2=""))
    assert (step.name, step.host) == ("verify", "")
    assert step.do(lambda *_: None) == "2 hosts on v2"


def test_a_host_that_is_off_is_named_with_its_reasons() -> None:
    step = Verify(lambda: plan(web_1="", web_2="web has 0 of 1 containers", web_3="is on v1-1"))
    with pytest.raises(NeedsPerson) as caught:
        step.do(lambda *_: None)
    assert caught.value.state == "web-2: web has 0 of 1 containers\nweb-3: is on v1-1"


def test_it_looks_each_time() -> None:
    answers = [plan(web_1="off"), plan(web_1="")]
    step = Verify(lambda: answers.pop(0))
    with pytest.raises(NeedsPerson):
        step.do(lambda *_: None)
    assert step.do(lambda *_: None) == "1 host on v2"


def test_undoing_is_nothing() -> None:
    assert Verify(plan).undo(lambda *_: None) == ""

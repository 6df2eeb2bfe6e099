"""How a run is said to have ended: what state hosts and schema are in, and with which exit code."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import api
from deploy.errors import Fault, HeadwayError, NeedsPerson, Refused
from deploy.events import Event, Outcome, RunEnded, RunStarted, Stream, Warned
from deploy.settings import Secret
from tests.run.walk import Stub, raises

HOSTS = [SimpleNamespace(host=f"web-{n}", before="v1", rolled=("web",)) for n in (1, 2)]
PLAN = SimpleNamespace(verb="deploy", app="shop", before="v1", after="v2", hosts=HOSTS, empty=False)


@dataclass
class Intent:
    """Of two hosts from v1 to v2; what its phases are, the test says."""

    empty: bool = False
    again: Any = None

    def __post_init__(self) -> None:
        environment = SimpleNamespace(
            name="production",
            url="https://shop.example",
            rollout=SimpleNamespace(auto_revert=True, progress_deadline=3600.0),
            secret_values=[Secret("SESSION_KEY", "correct-horse-battery")],
        )
        self.situation = SimpleNamespace(
            environment=environment, placements=["web-1", "web-2"], left_out=(), untried=()
        )
        old, new = (
            SimpleNamespace(id=f"r{n}", commit=f"c{n}", author="Ana", subject="", tag=f"v{n}")
            for n in (1, 2)
        )
        self.situation.facts = {
            "web-1": SimpleNamespace(release="r1", before="r1", releases={"r1": old}),
            "web-2": SimpleNamespace(release="", before="", releases={}),
        }
        self.order = SimpleNamespace(
            id="d-1",
            outlook=None,
            by="bo@laptop",
            whose="bo@laptop",
            approved_by="",
            release=new,
        )
        self.plan = PLAN


def ended(
    monkeypatch: pytest.MonkeyPatch,
    *steps: Stub,
    database_alone: bool = False,
    empty: bool = False,
) -> RunEnded:
    walk = [[step] for step in steps]
    monkeypatch.setattr(api, "phases", lambda *_: walk)
    monkeypatch.setattr(api, "of_database", lambda *_: walk)
    intent: Any = Intent(empty)
    return api.carry_out(intent, Stream(), database_alone=database_alone)


def step(name: str, host: str = "", error: HeadwayError | None = None, **more: Any) -> Stub:
    return Stub([], name, host, raises(error) if error else lambda: None, **more)


def test_done(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ended(monkeypatch, step("settle", "web-1"))
    assert (found.outcome, found.exit_code) == (Outcome.DONE, 0)
    assert found.message == "https://shop.example serves v2 on 2 hosts"


def test_the_first_event_says_who_ordered_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "phases", lambda *_: [[step("settle", "web-1")]])
    heard: list[Event] = []
    stream = Stream()
    stream.listen(heard.append)
    intent: Any = Intent()
    api.carry_out(intent, stream)
    began = heard[0]
    assert isinstance(began, RunStarted)
    assert (began.by, began.author) == ("bo@laptop", "Ana")
    assert (began.commit_before, began.commit) == ("c1", "c2")


def test_what_smoke_tests_lack_is_said_before_the_first_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "phases", lambda *_: [[step("settle", "web-1")]])
    heard: list[Event] = []
    stream = Stream()
    stream.listen(heard.append)
    intent: Any = Intent()
    fault = Fault("staging.yaml", "smoke.journeys", "journeys need Playwright", "install it")
    intent.situation.untried = (fault,)
    api.carry_out(intent, stream)
    said = heard[1]
    assert isinstance(said, Warned)
    assert said.text == (
        "not every smoke test can be tried from here: "
        "staging.yaml  smoke.journeys: journeys need Playwright; install it"
    )


def test_refused_before_anything_was_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ended(monkeypatch, step("backup", "db-1", Refused("no room"), touches=False))
    assert (found.outcome, found.exit_code) == (Outcome.REFUSED, 3)
    assert "no room" in found.message


def test_neither_the_stream_nor_the_end_has_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls this from a program of their own has no sink before their output."""
    refused = Refused("no correct-horse-battery here", mend="take correct-horse-battery out")
    monkeypatch.setattr(
        api, "phases", lambda *_: [[step("backup", "db-1", refused, touches=False)]]
    )
    heard: list[Event] = []
    stream = Stream()
    stream.listen(heard.append)
    intent: Any = Intent()
    found = api.carry_out(intent, stream)
    assert "correct-horse" not in repr(heard) + repr(found)
    assert repr(heard[-1]) == repr(found)
    assert "no ******** here" in found.message


def test_after_a_revert_that_had_switched_a_host_cdns_are_purged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    purge = step("purge", touches=False, reverts=False)
    tried: list[Any] = []

    def after_revert(_situation: Any, _order: Any, steps: Any) -> list[Any]:
        tried.extend(one.host for one in steps)
        return [[purge]]

    monkeypatch.setattr(api, "after_revert", after_revert)
    cancelled = threading.Event()

    def fails() -> None:
        cancelled.set()
        raise HeadwayError("no answer")

    failing = Stub([], "switch", "web-1", fails)
    monkeypatch.setattr(api, "phases", lambda *_: [[failing]])
    intent: Any = Intent()
    found = api.carry_out(intent, Stream(), cancelled)
    assert (found.outcome, found.exit_code) == (Outcome.REVERTED, 4)
    assert (tried, purge.log) == (["web-1"], ["purge"])


def test_reverted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ended(monkeypatch, step("stage", "web-1", HeadwayError("unwell")))
    assert (found.outcome, found.exit_code) == (Outcome.REVERTED, 4)
    assert found.message == "shop · production is on v1 on all 2 hosts; v2 is marked bad"


def test_what_no_host_has_started_is_not_called_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ended(monkeypatch, step("pull", "web-1", HeadwayError("no answer"), touches=False))
    assert (found.outcome, found.exit_code) == (Outcome.REVERTED, 4)
    assert found.message == "shop · production is on v1 on all 2 hosts; v2 was not started on any"


def test_a_contract_that_fails_leaves_the_hosts_on_the_new_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = step("contract", "", HeadwayError("it failed"), reverts=False)
    settled = step("settle", "web-1")
    found = ended(monkeypatch, settled, last)
    assert (found.outcome, found.exit_code) == (Outcome.NEEDS_PERSON, 5)
    assert found.message == (
        "https://shop.example serves v2 on 2 hosts; contract failed, and the next deploy tries it "
        "again"
    )
    assert settled.log == ["settle web-1"]


def test_smoke_after_a_rollback_is_asked_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    last = step("smoke", "", NeedsPerson("login: failed"), reverts=False)
    found = ended(monkeypatch, step("settle", "web-1"), last)
    assert (found.outcome, found.exit_code) == (Outcome.NEEDS_PERSON, 5)
    assert found.message == (
        "https://shop.example serves v2 on 2 hosts; smoke failed, and inv smoke.production tries "
        "it again"
    )


MIGRATED = {
    "done": (None, lambda: None, Outcome.DONE, 0, "the database is ready for v2"),
    "as before": (
        HeadwayError("failed"),
        lambda: None,
        Outcome.REVERTED,
        4,
        "the schema is as it was before",
    ),
    "half-way": (
        HeadwayError("failed"),
        raises(NeedsPerson("half-way")),
        Outcome.NEEDS_PERSON,
        5,
        "the schema is not as it was before",
    ),
}


@pytest.mark.parametrize(
    ("error", "undo", "outcome", "code", "said"), MIGRATED.values(), ids=MIGRATED
)
def test_the_database_alone(
    monkeypatch: pytest.MonkeyPatch,
    error: HeadwayError | None,
    undo: Any,
    outcome: Outcome,
    code: int,
    said: str,
) -> None:
    one = step("migrate", "", error, undo_=undo)
    found = ended(monkeypatch, one, database_alone=True)
    assert (found.outcome, found.exit_code) == (outcome, code)
    assert found.message == f"{said}; no host was changed"


@pytest.mark.parametrize(
    ("alone", "mend", "following"),
    [
        (False, "", "inv status.production"),
        (False, "inv restore.production shop-1", "inv restore.production shop-1"),
        (True, "", "inv backup.production"),
        (True, "inv restore.production shop-1", "inv restore.production shop-1"),
    ],
)
def test_a_schema_that_is_half_way_ends_with_what_gives_it_back(
    monkeypatch: pytest.MonkeyPatch, alone: bool, mend: str, following: str
) -> None:
    half = raises(NeedsPerson("the schema is not as it was before", mend=mend))
    one = step("migrate", "", HeadwayError("failed"), undo_=half)
    found = ended(monkeypatch, one, database_alone=alone)
    assert (found.exit_code, found.next) == (5, following)


def test_a_push_of_the_database_alone_is_done_though_every_host_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = step("push")
    found = ended(monkeypatch, one, database_alone=True, empty=True)
    assert (found.outcome, found.exit_code) == (Outcome.DONE, 0)
    assert one.log == ["push"]
    assert ended(monkeypatch, step("stage"), empty=True).outcome is Outcome.NOTHING

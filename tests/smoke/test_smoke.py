"""Every probe at its places: which are tried again, what is inconclusive, and how long it takes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.errors import Unreachable
from deploy.phases import subject_of
from deploy.remote.fake import FakeHost
from deploy.remote.fake import says as told
from deploy.smoke import smoke as module
from deploy.smoke.result import Outcome, Result, Verdict
from deploy.smoke.smoke import smoke

from ..remote.sshd import free_port
from .site import after, says
from .world import situation

if TYPE_CHECKING:
    from .conftest import MakeSite

PROBES = {
    "home": {"kind": "home", "expect": {"text": "Shop"}},
    "login": {"kind": "login", "json": {"email": "a"}, "expect": {"json": {"user": "a"}}},
    "health": {"kind": "health"},
    "version": {"kind": "version"},
}
GOOD = {
    "/": says(200, "<h1>Shop</h1>"),
    "/api/login": says(200, {"user": "a"}),
    "/healthz": says(200, {"version": "v7"}),
}
OLD = GOOD | {"/healthz": says(200, {"version": "v6"})}
BROKEN = says(500, "oops")
NO_HOST: dict[str, int] = {"web-1": 1}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)


def lines(verdict: Verdict) -> list[str]:
    return [str(one).partition(" in ")[0] for one in verdict.results]


def test_the_site_and_every_host(make_site: MakeSite, tmp_path: Path) -> None:
    front, one, two = make_site(GOOD), make_site(GOOD), make_site(GOOD)
    made = situation(
        tmp_path, {"probes": PROBES}, front.port, {"web-1": one.port, "web-2": two.port}
    )
    said: list[Result] = []
    verdict = smoke(subject_of(made), {"web-1": "v7", "web-2": "v7"}, said=said.append)
    assert lines(verdict) == [
        "home: passed",
        "login: passed",
        "health on web-1: passed",
        "health on web-2: passed",
        "version on web-1: passed",
        "version on web-2: passed",
    ]
    assert str(verdict) == "6 passed"
    assert (verdict.passed, verdict.failed) == (True, [])
    assert sorted(map(str, said)) == sorted(map(str, verdict.results))
    assert sorted(one.path for one in front.asked) == ["/", "/api/login"]
    assert [one.path for one in one.asked] == ["/healthz", "/healthz"]
    assert one.asked[0].headers["Host"] == f"127.0.0.1:{front.port}"


def test_one_host_alone_is_asked_everything(make_site: MakeSite, tmp_path: Path) -> None:
    front, one = make_site(GOOD), make_site(GOOD)
    made = situation(tmp_path, {"probes": PROBES}, front.port, {"web-1": one.port, "web-2": 1})
    verdict = smoke(subject_of(made), {"web-1": "v7"}, "web-1")
    assert {one.host for one in verdict.results} == {"web-1"}
    assert str(verdict) == "4 passed"
    assert front.asked == []


def test_an_old_container_that_still_answers(make_site: MakeSite, tmp_path: Path) -> None:
    front, new, old = make_site(GOOD), make_site(GOOD), make_site(OLD)
    made = situation(
        tmp_path, {"probes": PROBES}, front.port, {"web-1": new.port, "web-2": old.port}
    )
    verdict = smoke(subject_of(made), {"web-1": "v7", "web-2": "v7"})
    assert [str(one) for one in verdict.failed] == [
        'version on web-2: failed, version is "v6", expected "v7"'
    ]
    assert str(verdict) == "5 passed, 1 failed"


def test_a_login_that_is_broken_behind_one_host_alone(make_site: MakeSite, tmp_path: Path) -> None:
    """The site may answer from another one; `per_host` asks each."""
    front, one, two = make_site(GOOD), make_site(GOOD), make_site(GOOD | {"/api/login": BROKEN})
    probes = {"all": PROBES["login"] | {"per_host": True}, "site": PROBES["login"]}
    ports = {"web-1": one.port, "web-2": two.port}
    made = situation(tmp_path, {"probes": probes, "retries": 0}, front.port, ports)
    assert lines(smoke(subject_of(made), {"web-1": "v7", "web-2": "v7"})) == [
        "all on web-1: passed",
        "all on web-2: failed, answered 500, expected 2xx; is not JSON",
        "site: passed",
    ]


def one_probe(probe: dict[str, object], **more: object) -> dict[str, object]:
    return {"probes": {"one": probe}, **more}


def test_5xx_is_tried_again_and_that_is_shown(make_site: MakeSite, tmp_path: Path) -> None:
    front = make_site({"/": after(BROKEN, says(200, "Shop"))})
    made = situation(tmp_path, one_probe(PROBES["home"]), front.port, NO_HOST)
    verdict = smoke(subject_of(made), {})
    assert lines(verdict) == ["one: passed on try 2"]
    assert verdict.passed


def test_5xx_is_not_tried_for_ever(make_site: MakeSite, tmp_path: Path) -> None:
    front = make_site({"/": BROKEN})
    made = situation(tmp_path, one_probe({"kind": "home"}, retries=3), front.port, NO_HOST)
    assert lines(smoke(subject_of(made), {})) == [
        "one: failed on try 4, answered 500, expected 2xx"
    ]
    assert len(front.asked) == 4


def test_what_a_visitor_saw_of_a_failure_alone(make_site: MakeSite, tmp_path: Path) -> None:
    front = make_site({"/": BROKEN, "/api/login": GOOD["/api/login"]})
    probes = {name: PROBES[name] for name in ("home", "login")}
    made = situation(tmp_path, {"probes": probes, "retries": 0}, front.port, NO_HOST)
    assert [one.seen for one in smoke(subject_of(made), {}).results] == ["500 oops", ""]


def test_5xx_that_is_expected_passes_at_once(make_site: MakeSite, tmp_path: Path) -> None:
    front = make_site({"/": says(503, "soon")})
    probe = {"path": "/", "expect": {"status": 503}}
    made = situation(tmp_path, one_probe(probe), front.port, NO_HOST)
    assert smoke(subject_of(made), {}).passed
    assert len(front.asked) == 1


@pytest.mark.parametrize("reply", [says(404, "Shop"), says(200, "another"), says(401, "Shop")])
def test_an_answer_that_is_wrong_is_never_tried_again(
    make_site: MakeSite, tmp_path: Path, reply: object
) -> None:
    front = make_site({"/": reply})
    made = situation(tmp_path, one_probe(PROBES["home"]), front.port, NO_HOST)
    assert smoke(subject_of(made), {}).of(Outcome.FAILED)
    assert len(front.asked) == 1


def test_a_connection_that_fails_is_tried_again(tmp_path: Path) -> None:
    made = situation(tmp_path, one_probe({"kind": "home"}), free_port(), NO_HOST)
    assert lines(smoke(subject_of(made), {})) == [
        "one: failed on try 3, no connection: Connection refused"
    ]


def test_a_host_whose_proxy_is_down_has_failed(make_site: MakeSite, tmp_path: Path) -> None:
    made = situation(tmp_path, one_probe({"kind": "health"}), 1, {"web-1": free_port()})
    (result,) = smoke(subject_of(made), {"web-1": "v7"}).results
    assert (result.outcome, result.tries) == (Outcome.FAILED, 3)


class _Away(FakeHost):
    def dial(self, port: int, *, timeout: float) -> object:
        raise Unreachable(self.name, "sshd there allows no forwarding", mend="allow it")


@pytest.mark.parametrize(("name", "failed"), [("staging", 0), ("production", 1)])
def test_what_cannot_be_tried_is_inconclusive(tmp_path: Path, name: str, failed: int) -> None:
    made = situation(tmp_path, one_probe({"kind": "health"}), 1, {"web-1": 1}, name)
    made.hosts = {"web-1": _Away("web-1", lambda _: told())}
    verdict = smoke(subject_of(made), {"web-1": "v7"})
    assert [str(one) for one in verdict.results] == [
        "one on web-1: inconclusive, web-1: sshd there allows no forwarding (allow it)"
    ]
    assert not verdict.passed
    assert len(verdict.failed) == failed


@pytest.mark.parametrize(
    ("tags", "per_host", "reason"),
    [
        ({}, True, "nothing is deployed there"),
        ({"web-1": "v6", "web-2": "v7"}, False, "not every host is on one release"),
    ],
)
def test_a_version_of_nothing(
    make_site: MakeSite, tmp_path: Path, tags: dict[str, str], per_host: bool, reason: str
) -> None:
    front = make_site(GOOD)
    probe = {"kind": "version", "per_host": per_host}
    made = situation(tmp_path, one_probe(probe), front.port, {"web-1": front.port})
    (result,) = smoke(subject_of(made), tags).results
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, reason)


def test_the_deadline_for_all(make_site: MakeSite, tmp_path: Path) -> None:
    front = make_site({"/": lambda _handler: time.sleep(5)})
    probes = {f"p{number}": {"path": "/"} for number in range(20)}
    made = situation(tmp_path, {"probes": probes, "deadline": "1s"}, front.port, NO_HOST)
    began = time.monotonic()
    verdict = smoke(subject_of(made), {})
    assert time.monotonic() - began < 4
    # As many as are asked at once; on a machine that is busy some of them come too late as well.
    assert 1 <= len(verdict.of(Outcome.FAILED)) <= module.AT_ONCE
    assert str(verdict).endswith(" inconclusive")
    reasons = {one.reason for one in verdict.of(Outcome.INCONCLUSIVE)}
    assert reasons == {"not asked: the 1 s for all of it are over"}

"""Results for people and for programs."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from deploy.smoke.report import as_json, as_junit
from deploy.smoke.result import Outcome, Result, Verdict

GOOD = Result("home", "", Outcome.PASSED, seconds=0.0214)
LATE = Result("health", "web-1", Outcome.PASSED, seconds=0.5, tries=2)
BAD = Result("login", "", Outcome.FAILED, "answered 500, expected 2xx", 0.1, 3)
DARK = Result("version", "web-2", Outcome.INCONCLUSIVE, "no way there", kept=("a.png",))
ALL = (GOOD, LATE, BAD, DARK)


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - it is our own


def test_a_line_for_each() -> None:
    assert [str(one) for one in ALL] == [
        "home: passed in 21 ms",
        "health on web-1: passed on try 2 in 500 ms",
        "login: failed on try 3, answered 500, expected 2xx",
        "version on web-2: inconclusive, no way there\n  a.png",
    ]


def test_what_counts_as_failed() -> None:
    loose, strict = Verdict(ALL, strict=False), Verdict(ALL, strict=True)
    assert str(loose) == str(strict) == "2 passed, 1 failed, 1 inconclusive"
    assert (loose.failed, strict.failed) == ([BAD], [BAD, DARK])
    dark = Verdict((GOOD, DARK), strict=False)
    assert (dark.passed, dark.failed) == (False, [])
    assert Verdict((GOOD, LATE), strict=True).passed
    assert str(Verdict((), strict=True)) == "no tests"


def test_json() -> None:
    found = json.loads(as_json(Verdict(ALL, strict=False)))
    assert found["passed"] is False
    assert found["results"][2] == {
        "name": "login",
        "host": "",
        "outcome": "failed",
        "reason": "answered 500, expected 2xx",
        "seconds": 0.1,
        "tries": 3,
        "kept": [],
    }


def test_junit() -> None:
    root = parsed(as_junit(Verdict(ALL, strict=False), "smoke.staging"))
    assert (root.tag, root.get("name")) == ("testsuite", "smoke.staging")
    assert [root.get(key) for key in ("tests", "failures", "errors")] == ["4", "1", "1"]
    cases = {case.get("name"): case for case in root}
    assert cases["health"].get("classname") == "smoke.staging.web-1"
    assert [child.tag for child in cases["home"]] == []
    (failure,) = cases["login"]
    assert (failure.tag, failure.get("message")) == ("failure", "answered 500, expected 2xx")
    (error,) = cases["version"]
    assert error.tag == "error"
    assert "a.png" in (error.text or "")


@given(text=st.text(max_size=30))
def test_xml_takes_whatever_a_site_says(text: str) -> None:
    verdict = Verdict([Result("one", "", Outcome.FAILED, text)], strict=True)
    root = parsed(as_junit(verdict, "smoke.staging"))
    assert root[0][0].get("message") is not None

"""What an answer is worth, without asking anybody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.redaction.redactor import Redactor
from deploy.settings.smoke import Expect
from deploy.smoke.judge import Answer, faults, seen


def answer(status: int = 200, body: str | bytes = b"", **more: Any) -> Answer:
    text = body.encode() if isinstance(body, str) else body
    return Answer(status, {"content-type": "text/html; charset=utf-8"}, text, 0.12, **more)


def judged(expect: dict[str, Any], given: Answer) -> list[str]:
    return faults(given, Expect(**expect))


@pytest.mark.parametrize("status", [200, 204, 299])
def test_2xx_is_enough_where_nothing_is_said(status: int) -> None:
    assert judged({}, answer(status)) == []


@pytest.mark.parametrize("status", [199, 301, 404, 500])
def test_anything_else_is_not(status: int) -> None:
    assert judged({}, answer(status)) == [f"answered {status}, expected 2xx"]


def test_a_status_that_is_written_has_to_be_that_one() -> None:
    assert judged({"status": 301}, answer(301)) == []
    assert judged({"status": 301}, answer(200)) == ["answered 200, expected 301"]


def test_headers() -> None:
    assert judged({"headers": {"Content-Type": "text/html"}}, answer()) == []
    assert judged({"headers": {"content-type": "json", "x-a": "1"}}, answer()) == [
        'header content-type is "text/html; charset=utf-8", expected "json" in it',
        'has no header x-a, expected "1" in it',
    ]


def test_text() -> None:
    assert judged({"text": "größe"}, answer(body="die größe")) == []
    assert judged({"text": "größe"}, answer(body=b"\xff\xfe")) == ['does not say "größe"']
    assert judged({"text": "x"}, answer(body="a" * 2048, cut=True)) == [
        'does not say "x" in its first 2 kB'
    ]


DOCUMENT = {
    "status": "ok",
    "build": {"tag": "v7", "dirty": False},
    "a.b": 1,
    "list": [{"id": 4}],
    "none": None,
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("status", "ok"),
        ("build.tag", "v7"),
        ("build.dirty", False),
        ("a.b", 1),
        ("a.b", 1.0),
        ("list.0.id", 4),
        ("none", None),
    ],
)
def test_json_values(key: str, value: Any) -> None:
    assert judged({"json": {key: value}}, answer(body=json.dumps(DOCUMENT))) == []


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("status", "up", 'status is "ok", expected "up"'),
        ("build.tag", "v8", 'build.tag is "v7", expected "v8"'),
        ("build.dirty", 0, "build.dirty is false, expected 0"),
        ("a.b", True, "a.b is 1, expected true"),
        ("list.1.id", 4, "has no list.1.id, expected 4"),
        ("build.tag.x", "v7", 'has no build.tag.x, expected "v7"'),
        ("nothing", None, "has no nothing, expected null"),
    ],
)
def test_json_that_is_another(key: str, value: Any, fault: str) -> None:
    assert judged({"json": {key: value}}, answer(body=json.dumps(DOCUMENT))) == [fault]


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_json(body: bytes) -> None:
    assert judged({"json": {"a": 1}}, answer(body=body)) == ["is not JSON"]


def test_a_long_value_is_shown_in_short() -> None:
    (fault,) = judged({"json": {"status": "x" * 500}}, answer(body=json.dumps(DOCUMENT)))
    assert len(fault) < 150


def test_a_secret_is_masked_before_anything_is_cut() -> None:
    secret = 'long"' * 60
    masked = Redactor([secret]).redact
    given = answer(body=json.dumps({"a": secret, "b": [secret]}))
    expect = Expect(
        json={"a": "x", "b": secret}, headers={"content-type": secret}, text=f"{secret}x"
    )
    found = faults(given, expect, masked)
    assert len(found) == 4
    assert "long" not in "".join(found)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\n \n  oops <b>\nmore\n", "500 oops <b>"),
        (b"", "500"),
        (b"password=hunter2-hunter2" + b"x" * 500, "500 password=***" + "x" * 188),
    ],
)
def test_what_a_visitor_sees_is_the_status_and_one_line(body: bytes, said: str) -> None:
    assert seen(answer(500, body), lambda text: text.replace("hunter2-hunter2", "***")) == said


def test_time_and_certificate() -> None:
    assert judged({"max_ms": 120, "certificate_days": 14}, answer(certificate_days=14.0)) == []
    assert judged({"max_ms": 119, "certificate_days": 14}, answer(certificate_days=13.0)) == [
        "took 120 ms, at most 119 were expected",
        "the certificate ends in 13 days, at least 14 were expected",
    ]
    assert judged({"certificate_days": 1}, answer(certificate_days=-3.0)) == [
        "the certificate ended 3 days ago, at least 1 were expected"
    ]


def test_the_status_comes_first_as_it_explains_the_rest() -> None:
    found = judged({"json": {"user": "a"}, "text": "x"}, answer(500, "oops"))
    assert found[0] == "answered 500, expected 2xx"
    assert len(found) == 3


@given(body=st.binary(max_size=200), key=st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}\Z"))
def test_no_body_is_too_odd(body: bytes, key: str) -> None:
    for fault in judged({"json": {key: "v"}, "text": "t"}, answer(body=body)):
        assert "\n" not in fault

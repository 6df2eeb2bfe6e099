"""A trace as a collector gets it, and collectors that hold a run up as little as can be."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from deploy.events import TOLD, TOLD_CANCELLED, Event, Outcome, Stream
from deploy.examine import examine
from deploy.redaction.redactor import Redactor
from deploy.telemetry import wanted as module
from deploy.telemetry.listener import telemetry
from deploy.telemetry.wanted import lacking, wanted
from deploy.version import VERSION

from ..remote.sshd import free_port
from ..smoke.world import situation
from ..views.sequences import CASES, Script
from .collector import Collector

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

ABOVE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SLACK = 1.0
"""Seconds by which a thread may come late on a busy machine."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    one = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.url)
    yield one
    one.close()


def traced(events: Sequence[Event], secrets: Sequence[str] = ()) -> tuple[list[str], float]:
    """Emit the events as a run does; what was warned of, and the seconds that the end took."""
    import os

    stream = Stream(Redactor(secrets))
    warned: list[str] = []
    trace = telemetry(os.environ, stream.redactor, warned.append)
    assert trace
    stream.listen(trace)
    for event in events:
        stream.emit(event)
    began = time.monotonic()
    trace.close()
    trace.close()
    return warned, time.monotonic() - began


def values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def taken(collector: Collector) -> dict[str, Span]:
    (resource,) = collector.taken
    return {one.name: one for scope in resource.scope_spans for one in scope.spans}


def test_a_run_arrives_whole(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k3y-of-the-collector")
    events = CASES["reverted"]()
    assert traced(events)[0] == []
    (headers,) = collector.headers
    assert (headers["path"], headers["api-key"]) == ("/v1/traces", "k3y-of-the-collector")
    (resource,) = collector.taken
    about = values(resource.resource.attributes)
    assert (about["service.name"], about["service.version"]) == ("headway", VERSION)
    found = taken(collector)
    run, host, failed = found["deploy"], found["roll web-2"], found["undo switch"]
    assert (run.parent_span_id, host.parent_span_id) == (b"", run.span_id)
    assert failed.parent_span_id == host.span_id
    assert len({one.trace_id for one in found.values()}) == 1
    assert run.start_time_unix_nano == int(events[0].at * 1e9)
    assert run.status.code == run.status.STATUS_CODE_ERROR
    assert values(run.attributes)["deployment.environment.name"] == "production"
    assert found["checks"].status.code == run.status.STATUS_CODE_UNSET


def test_what_the_environment_says_of_the_service(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-deploys")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=web,service.version=9")
    assert traced(CASES["first"]())[0] == []
    about = values(collector.taken[0].resource.attributes)
    assert (about["service.name"], about["team"], about["service.version"]) == (
        "shop-deploys",
        "web",
        "9",
    )


def test_it_goes_on_with_the_trace_that_has_ordered_it(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", ABOVE)
    assert traced(CASES["first"]())[0] == []
    run = taken(collector)["deploy"]
    assert (run.trace_id.hex(), run.parent_span_id.hex()) == tuple(ABOVE.split("-")[1:3])


@pytest.mark.parametrize("parent", ["", "nonsense", f"{ABOVE[:-2]}zz"])
def test_a_parent_that_is_none_begins_a_trace(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, parent: str
) -> None:
    monkeypatch.setenv("TRACEPARENT", parent)
    assert traced(CASES["first"]())[0] == []
    assert taken(collector)["deploy"].parent_span_id == b""


def test_no_secret_leaves(collector: Collector) -> None:
    script = Script()
    script.begin()
    script.start("stage", "web-1")
    script.fail(
        "stage", "web-1", "hunter2-hunter2 is wrong", "a\nhunter2-hunter2", "hunter2-hunter2"
    )
    script.end(Outcome.REVERTED, 4, "not hunter2-hunter2")
    assert traced(script.events, ["hunter2-hunter2"])[0] == []
    (body,) = collector.bodies
    assert b"hunter2" not in body
    assert b"is wrong" in body


def test_a_run_with_nothing_to_do_sends_nothing(collector: Collector) -> None:
    assert traced(CASES["nothing"]())[0] == []
    assert collector.headers == []


def test_a_collector_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    (warned,), seconds = traced(CASES["success"]())
    assert warned.startswith("the trace was not sent: ")
    assert seconds < TOLD + SLACK


@pytest.mark.parametrize(
    ("how", "said"), [(500, "500"), (503, "Service Unavailable"), (401, "401"), ("hang", "")]
)
def test_a_collector_that_does_not_take_it(
    collector: Collector, capsys: pytest.CaptureFixture[str], how: str | int, said: str
) -> None:
    collector.how = how
    (warned,), seconds = traced(CASES["success"]())
    assert warned.startswith("the trace was not sent: ")
    assert said in warned
    assert seconds < TOLD + SLACK
    assert capsys.readouterr() == ("", "")


def test_a_run_that_was_cancelled_has_less_time(collector: Collector) -> None:
    collector.how = "hang"
    (warned,), seconds = traced(CASES["cancelled"]())
    assert warned.startswith("the trace was not sent: ")
    assert seconds < TOLD_CANCELLED + SLACK


OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, ""),
        ({"OTEL_SERVICE_NAME": "shop"}, ""),
        (OTLP, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "x"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ({**OTLP, "OTEL_SDK_DISABLED": "TRUE"}, ""),
        ({**OTLP, "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({**OTLP, "OTEL_TRACES_EXPORTER": "otlp"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_it_is_wanted_where_somebody_is_named(environ: dict[str, str], name: str) -> None:
    assert wanted(environ) == name
    warned: list[str] = []
    assert bool(telemetry(environ, Redactor([]), warned.append)) is bool(name)
    assert warned == []


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` names it, and a deploy goes on."""
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    (fault,) = lacking(OTLP)
    assert str(fault) == (
        "traces  OTEL_EXPORTER_OTLP_ENDPOINT: is set, and OpenTelemetry is not installed; "
        "pip install 'headway[otel]'"
    )
    assert lacking({}) == []
    warned: list[str] = []
    assert telemetry(OTLP, Redactor([]), warned.append) is None
    assert warned == [f"no trace is sent: {fault}"]


def test_check_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = situation(tmp_path, {"probes": {}}, free_port(), {"web-1": 1})
    monkeypatch.setattr("deploy.examine.find_images", lambda _situation, _tag: {})
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert [one for one in examine(made) if one.where == "traces"] == []
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    assert [one.mend for one in examine(made) if one.where == "traces"] == [module.INSTALL]


def test_nothing_of_opentelemetry_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EXPORTER", "none.at.all")
    assert not module.installed()


def test_another_protocol_is_named() -> None:
    asked = {**OTLP, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    (fault,) = lacking(asked)
    assert "OTEL_EXPORTER_OTLP_PROTOCOL: is grpc, and Headway speaks http/protobuf" in str(fault)
    assert lacking({**asked, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}) == []


def test_the_collectors_key_is_a_secret() -> None:
    redactor = Redactor([])
    environ = {**OTLP, "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20c2VjcmV0LWtleQ,x=ab"}
    assert telemetry(environ, redactor, lambda _text: None)
    assert "c2VjcmV0" not in redactor.redact("sent Basic c2VjcmV0LWtleQ")

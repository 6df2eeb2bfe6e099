"""Sends spans by OTLP over HTTP, as the variables `OTEL_*` say. It takes the extra `otel`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from deploy.version import VERSION
from deploy.views.text import one_line

if TYPE_CHECKING:
    from deploy.telemetry.spans import Span


class NotSent(Exception):
    """The trace could not be sent; why, in a few words."""


class _Kept(SpanProcessor):
    """Keeps what has ended."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class _Heard(logging.Handler):
    """What the exporter logs, which is all that it says of why it failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def made(spans: Sequence[Span], environ: Mapping[str, str]) -> list[ReadableSpan]:
    """The spans as OpenTelemetry has them, below the one that TRACEPARENT names, if it is set.

    Args:
        spans: each after its parent.
        environ: TRACEPARENT and TRACESTATE; the SDK reads its own variables itself.
    """
    given = {name: environ.get(name.upper(), "") for name in ("traceparent", "tracestate")}
    above = TraceContextTextMapPropagator().extract(given, Context())
    own = Resource({"service.name": "headway", "service.version": VERSION})
    kept = _Kept()
    # What the environment says of the service goes before what we do.
    resource = Resource.create().merge(own).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(kept)
    tracer = provider.get_tracer("headway", VERSION)
    found: dict[int, SdkSpan] = {}
    for one in spans:
        context = set_span_in_context(found[id(one.parent)], above) if one.parent else above
        span = tracer.start_span(
            one.name, context, attributes=one.attributes, start_time=_time(one.began)
        )
        for mark in one.marks:
            span.add_event(mark.name, mark.attributes, _time(mark.at))
        if one.error:
            span.set_status(Status(StatusCode.ERROR, one.error))
        found[id(one)] = span  # type: ignore[assignment]
    for one in reversed(spans):
        found[id(one)].end(_time(one.ended))
    return kept.spans


def send(spans: Sequence[Span], environ: Mapping[str, str], timeout: float) -> None:
    """Send them.

    Args:
        spans: each after its parent.
        environ: TRACEPARENT and TRACESTATE.
        timeout: seconds for all tries together.

    Raises:
        NotSent: they did not arrive, or nobody says that they did.
    """
    batch = made(spans, environ)
    if not batch:
        return
    heard = _Heard()
    log = logging.getLogger("opentelemetry")
    # Without this it writes past the sink, and whole bodies.
    log.addHandler(heard)
    log.propagate = False
    try:
        exporter: Any = OTLPSpanExporter(timeout=timeout)
        if exporter.export(batch) is not SpanExportResult.SUCCESS:
            # Of several tries the first names what is wrong, the last that it was given up.
            said = "; ".join(dict.fromkeys(heard.said[:1] + heard.said[-1:]))
            raise NotSent(one_line(said)[:300] or "the exporter does not say why")
        exporter.shutdown()
    finally:
        log.removeHandler(heard)


def _time(seconds: float) -> int:
    """In nanoseconds."""
    return int(seconds * 1_000_000_000)

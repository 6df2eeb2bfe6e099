"""Whether a trace is to be sent, by the variables that OpenTelemetry itself has for that.

opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import unquote

from deploy.errors import Fault

INSTALL = "pip install 'headway[otel]'"

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_SPOKEN = "http/protobuf"


def wanted(environ: Mapping[str, str]) -> str:
    """The variable that says where a trace goes; "" where none is to be sent."""
    off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if off or environ.get("OTEL_TRACES_EXPORTER", "").strip() not in {"", "otlp"}:
        return ""
    return next((name for name in _ENDPOINTS if environ.get(name, "").strip()), "")


def lacking(environ: Mapping[str, str]) -> list[Fault]:
    """What is in the way of a trace that is wanted."""
    name = wanted(environ)
    if not name:
        return []
    if not installed():
        return [Fault("traces", name, "is set, and OpenTelemetry is not installed", INSTALL)]
    for protocol in _PROTOCOLS:
        spoken = environ.get(protocol, "").strip() or _SPOKEN
        if spoken != _SPOKEN:
            message = f"is {spoken}, and Headway speaks {_SPOKEN}"
            return [Fault("traces", protocol, message, "unset it, and name a port for HTTP (4318)")]
        if environ.get(protocol):
            break
    return []


def installed() -> bool:
    """Whether the extra is there."""
    try:
        return all(find_spec(f"opentelemetry.{part}") for part in ("sdk", _EXPORTER))
    except ModuleNotFoundError:
        return False


_EXPORTER = "exporter.otlp.proto.http"


def secrets(environ: Mapping[str, str]) -> list[str]:
    """The values of the headers, which are keys more often than not."""
    pairs = [one for name in _HEADERS for one in environ.get(name, "").split(",")]
    values = [one.partition("=")[2].strip() for one in pairs]
    return [value for one in values for value in dict.fromkeys((one, unquote(one))) if value]

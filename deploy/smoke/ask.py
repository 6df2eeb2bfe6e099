"""Asks a site one thing over HTTP. A redirect is an answer, and is not followed."""

from __future__ import annotations

import math
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from cryptography import x509
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from deploy.errors import HeadwayError
from deploy.smoke.judge import Answer
from deploy.smoke.probes import marked

if TYPE_CHECKING:
    from deploy.smoke.probes import Probe
    from deploy.smoke.way import Way

MOST = 2 * 1024 * 1024
"""Bytes of a body that are read; a page of more is cut."""


@dataclass
class NoAnswer(Exception):
    """There is none. `again`: nothing was asked yet, so that it may be tried again.

    `here`: it is this machine, or the way to the host, that has the fault.
    """

    reason: str
    again: bool = False
    here: bool = False


def ask(probe: Probe, way: Way, run: str, timeout: float) -> Answer:
    """Send one request and return the whole answer, `timeout` seconds later at most.

    Args:
        probe: what.
        way: where.
        run: the name of the run, which goes with it as `X-Smoke-Test`.
        timeout: in seconds, for the connection, and again for the answer.

    Raises:
        NoAnswer: with the reason in a few words.
    """
    behind_tls = bool(way.tunnel) and not way.tls and way.url.startswith("https:")
    headers = marked(probe, run, behind_tls=behind_tls)
    if way.tunnel:
        headers["Host"] = way.site
    began = time.monotonic()
    with _session(way) as session:
        try:
            reply = session.request(
                probe.method,
                way.address(probe.path),
                headers=headers,
                json=probe.json,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
                verify=not way.tunnel,
            )
            body, cut = _body(reply, began + timeout, timeout)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _explained(error, way, timeout) from error
    answer = Answer(
        status=reply.status_code,
        headers={name.lower(): value for name, value in reply.headers.items()},
        body=body,
        seconds=time.monotonic() - began,
        cut=cut,
    )
    if probe.expect.certificate_days is None or not way.encrypted:
        return answer
    return Answer(**{**vars(answer), "certificate_days": _certificate_days(way, timeout)})


class _NamedTLS(HTTPAdapter):
    """Connects by address, and asks for the site by its name in TLS.

    Whose certificate it is does not matter: the other end of the tunnel is the host whose key is
    pinned, and what it shows is for whatever stands before it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, server_hostname=self._name, **kwargs)


def _session(way: Way) -> requests.Session:
    session = requests.Session()
    if way.tunnel:
        # No proxy of the environment leads to this machine's own port.
        session.trust_env = False
        session.mount("https://", _NamedTLS(way.name))
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return session


def _body(reply: requests.Response, until: float, timeout: float) -> tuple[bytes, bool]:
    """Read it; one that never ends, or comes byte by byte, is no answer either."""
    body = bytearray()
    while piece := reply.raw.read1(65536, decode_content=True):
        body += piece
        if len(body) > MOST:
            return bytes(body[:MOST]), True
        if time.monotonic() > until:
            raise requests.ReadTimeout(f"not whole within {timeout:g} s")
    return bytes(body), False


def _explained(error: Exception, way: Way, timeout: float) -> NoAnswer:
    if way.tunnel and isinstance(failure := way.tunnel.failure, HeadwayError):
        mend = f" ({failure.mend})" if failure.mend else ""
        return NoAnswer(f"{failure.message}{mend}", here=True)
    if way.tunnel and way.tunnel.failure:
        return NoAnswer(f"no connection: {way.tunnel.failure}", again=True)
    causes = _causes(error)
    system = next((one for one in causes if isinstance(one, OSError) and one.strerror), None)
    why = system.strerror if system else "it was closed"
    for cause in causes:
        match cause:
            case NameResolutionError() | socket.gaierror():
                found = NoAnswer(f"the name {way.name} can't be resolved here", here=True)
            case requests.exceptions.ProxyError():
                found = NoAnswer("the proxy of this machine's environment failed", here=True)
            case ssl.SSLError():
                reason = getattr(cause, "verify_message", "") or cause.reason or str(cause)
                found = NoAnswer(f"the TLS connection failed: {reason}")
            case NewConnectionError():
                found = NoAnswer(f"no connection: {why}", again=True)
            case ConnectTimeoutError():
                found = NoAnswer(f"no connection within {timeout:g} s", again=True)
            case requests.ReadTimeout() | urllib3.exceptions.ReadTimeoutError() | TimeoutError():
                found = NoAnswer(f"no whole answer within {timeout:g} s")
            case _:
                continue
        return found
    return NoAnswer(f"the connection was lost: {why}")


def _causes(error: BaseException) -> list[BaseException]:
    """The error, and what it came from: requests puts urllib3's inside of its own."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found


def _certificate_days(way: Way, timeout: float) -> float:
    """How many days the certificate that is shown is still valid; less than 0: it is not.

    Raises:
        NoAnswer: there is none.
    """
    # Whether it is believed has been seen with the request itself.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    target = ("127.0.0.1", way.tunnel.port) if way.tunnel else (way.name, way.port)
    try:
        with (
            socket.create_connection(target, timeout) as plain,
            context.wrap_socket(plain, server_hostname=way.name) as wrapped,
        ):
            der = wrapped.getpeercert(binary_form=True) or b""
        end = x509.load_der_x509_certificate(der).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise NoAnswer(f"the certificate can't be read: {error}") from error
    return math.floor((end - datetime.now(UTC)).total_seconds() / 86400)

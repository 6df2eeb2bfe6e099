"""A probe as bytes, and what came back for it: for what is asked where no connection leads."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import requests

from deploy.settings.smoke import Expect
from deploy.smoke.judge import Answer, Hide, faults, seen
from deploy.smoke.probes import Probe, marked, probes_of

if TYPE_CHECKING:
    import socket

    from deploy.settings import Environment
    from deploy.settings.sections import Service


@dataclass(frozen=True)
class Plain:
    """One probe of a site at `url`, asked of its application itself, in the run's name.

    With `redirects` an answer that leads elsewhere is a good one, as when a container is probed.
    """

    probe: Probe
    url: str
    run: str
    hide: Hide = str
    redirects: bool = False

    @property
    def name(self) -> str:
        """The probe's name."""
        return self.probe.name

    @property
    def request(self) -> bytes:
        """The whole request; the connection is closed after its answer."""
        headers = {
            "Host": urlsplit(self.url).netloc,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            **marked(self.probe, self.run, behind_tls=self.url.startswith("https:")),
            "Connection": "close",
        }
        probe = self.probe
        whole = requests.Request(
            probe.method, f"{self.url}{probe.path}", headers=headers, json=probe.json
        ).prepare()
        lines = [f"{whole.method} {whole.path_url} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in whole.headers.items()]
        body = whole.body or b""
        return "\r\n".join([*lines, "", ""]).encode() + (
            body.encode() if isinstance(body, str) else body
        )

    def fault(self, reply: bytes, seconds: float) -> str:
        """Say in one line what is wrong with what came back; "" for nothing."""
        answer = read(reply, self.probe.method, seconds)
        if answer is None:
            return "nothing answered"
        if self.redirects and 300 <= answer.status <= 399:
            return ""
        found = faults(answer, self.probe.expect, self.hide)
        return f"{'; '.join(found)} ({seen(answer, self.hide)})" if found else ""


def read(reply: bytes, method: str, seconds: float) -> Answer | None:
    """Return the answer in these bytes; None if they are none."""
    # What reads it asks a connection for a file and for nothing else.
    response = HTTPResponse(cast("socket.socket", _Kept(reply)), method=method)
    try:
        response.begin()
        body = response.read()
    except IncompleteRead as error:
        body = error.partial
    except (HTTPException, OSError, ValueError):
        return None
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, body, seconds)


class _Kept:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *_: object, **__: object) -> io.BytesIO:
        return io.BytesIO(self._content)


def of_service(environment: Environment, service: Service, run: str, hide: Hide) -> list[Plain]:
    """What a service is asked by itself: its health, its probes, and the logins of smoke tests.

    How long an answer takes, and its certificate, are no questions to an application alone.
    """
    site = environment.url or "http://localhost"
    parts = urlsplit(site)
    paths = [*([service.health] if service.health else []), *service.probes] or ["/"]
    found = [
        Plain(
            Probe(path, "GET", path, {}, None, per_host=True, expect=Expect()),
            f"{parts.scheme}://{parts.netloc}",
            run,
            hide,
            redirects=True,
        )
        for path in dict.fromkeys(paths)
    ]
    smoke = environment.smoke
    for probe in probes_of(environment):
        if smoke and smoke.probes[probe.name].kind == "login":
            expect = replace(probe.expect, max_ms=None, certificate_days=None)
            found.append(Plain(replace(probe, expect=expect), site, run, hide))
    return found

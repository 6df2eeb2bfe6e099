"""Asks a registry what a tag stands for now: its digest, its platforms, its labels.

The tag is resolved once, here, and every host pulls that digest, so that a tag which moves while a
deploy goes on cannot give two hosts two images.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import requests.auth
import stamina

from deploy.errors import Refused
from deploy.web import Header
from deploy.web import within as _within

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPTED = ", ".join(_INDEXES + _MANIFESTS)
"""All that a tag may stand for; a registry says 404 where it stands for what is not accepted."""

_TIMEOUT = (5, 8)
"""Seconds to connect, and between two bytes."""

_TRY = 10.0
"""Seconds for one try in all, its login included: a server that trickles must not hold us up."""

_TRIES = 3
"""With stamina's waits of at most 1.3 s and 1.6 s between them, a question takes 33 s at most."""

_MOST_BYTES = 8 * 1024 * 1024
"""Twice what the distribution specification has registries accept as a manifest (4 MiB)."""


@dataclass(frozen=True)
class Found:
    """An image as a registry has it; `platforms` are like `linux/amd64`, labels its config's."""

    repository: str
    tag: str
    digest: str
    platforms: tuple[str, ...]
    labels: dict[str, str]

    @property
    def ref(self) -> str:
        """The name by which a host pulls it and that no later push can change."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True)
class Login:
    """Who asks; the password is plain here and goes nowhere but into the request."""

    username: str
    password: str


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


class _Retry(Exception):
    """An answer after which asking again is worth it."""


class Registry:
    """One registry, with what it wants to see from us."""

    def __init__(self, server: str, login: Login | None) -> None:
        self.server = server
        self._login = login
        self._basic: requests.auth.AuthBase = Header("")
        if login:
            self._basic = requests.auth.HTTPBasicAuth(login.username, login.password)
        host = server.split(":", 1)[0]
        # As the Docker Engine does: loopback registries speak plain HTTP.
        scheme = "http" if host in {"localhost", "127.0.0.1"} else "https"
        self._base = f"{scheme}://{'registry-1.docker.io' if server == 'docker.io' else server}/v2"

    def find(self, repository: str, tag: str) -> Found | None:
        """Return the image that `repository:tag` stands for, or None where there is none.

        Raises:
            Refused: the registry cannot be reached, refuses the login, or answers nonsense.
        """
        name = _path(repository)
        answer = self._get(f"{self._base}/{name}/manifests/{tag}", ACCEPTED)
        if answer.status == requests.codes.not_found:
            return None
        body = self._json(answer)
        digest = answer.headers.get("Docker-Content-Digest") or ""
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise Refused(f"the registry {self.server} gave no digest for {repository}:{tag}")
        try:
            return self._read(repository, tag, digest, body)
        except (AttributeError, KeyError, TypeError):
            raise Refused(
                f"the registry {self.server} has something at {repository}:{tag} that is no image"
            ) from None

    def _read(self, repository: str, tag: str, digest: str, body: dict[str, Any]) -> Found:
        """Understand a manifest, or an index of several; see the OCI image specification."""
        name = _path(repository)
        manifests = [
            one
            for one in body.get("manifests", [])
            # An attestation stands among them as the platform unknown/unknown.
            if one.get("platform", {}).get("os", "unknown") != "unknown"
        ]
        manifest = body
        if manifests:
            url = f"{self._base}/{name}/manifests/{manifests[0]['digest']}"
            manifest = self._json(self._get(url, ", ".join(_MANIFESTS)))
        blob = manifest["config"]["digest"]
        config = self._json(self._get(f"{self._base}/{name}/blobs/{blob}", "*/*"))
        platforms = [one["platform"] for one in manifests] or [config]
        labels = (config.get("config") or {}).get("Labels") or {}
        return Found(
            repository,
            tag,
            digest,
            tuple(dict.fromkeys(f"{one['os']}/{one['architecture']}" for one in platforms)),
            {str(key): str(value) for key, value in labels.items()},
        )

    def _json(self, answer: _Answer) -> dict[str, Any]:
        if answer.status in {401, 403}:
            who = f"the login of {self._login.username}" if self._login else "an unnamed visitor"
            raise Refused(
                f"the registry {self.server} refused {who} ({answer.status})",
                mend="See registry: in the hosts file, and the secret that it names.",
            )
        if answer.status != requests.codes.ok:
            raise Refused(f"the registry {self.server} answered {answer.status}")
        try:
            body = json.loads(answer.content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Refused(f"{self.server} does not answer like a registry")
        return body

    def _get(self, url: str, accept: str) -> _Answer:
        try:
            for attempt in stamina.retry_context(
                on=(requests.ConnectionError, requests.Timeout, _Retry),
                attempts=_TRIES,
                timeout=None,
                wait_initial=0.3,
            ):
                with attempt:
                    return _within(_TRY, lambda: self._once(url, accept))
        except _Retry as error:
            raise Refused(f"the registry {self.server} answered {error} ({_TRIES} times)") from None
        except requests.RequestException as error:
            raise Refused(
                f"the registry {self.server} cannot be reached from this machine: "
                f"{type(error).__name__}"
            ) from None
        raise AssertionError("unreachable")

    def _once(self, url: str, accept: str) -> _Answer:
        # A session for each try: one that was given up may still be reading.
        with requests.Session() as session:
            headers = {"Accept": accept}
            answer = _read(session, url, self._basic, headers=headers)
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.status == requests.codes.unauthorized and challenge[:7] == "Bearer ":
                bearer = Header(f"Bearer {self._token(session, challenge)}")
                answer = _read(session, url, bearer, headers=headers)
        return answer

    def _token(self, session: requests.Session, challenge: str) -> str:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = fields.pop("realm", "")
        body = self._json(_read(session, realm, self._basic, params=fields))
        return str(body.get("token") or body.get("access_token") or "")


def _read(
    session: requests.Session,
    url: str,
    auth: requests.auth.AuthBase,
    *,
    headers: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
) -> _Answer:
    """Get an answer whole, but no more than a registry's documents can be long.

    Raises:
        _Retry: the server is busy, or says that it has a fault.
    """
    answer = session.get(
        url, auth=auth, headers=headers, params=params, timeout=_TIMEOUT, stream=True
    )
    if answer.status_code >= requests.codes.server_error or answer.status_code == 429:
        raise _Retry(str(answer.status_code))
    content = b""
    for piece in answer.iter_content(65536):
        content += piece
        if len(content) > _MOST_BYTES:
            raise requests.exceptions.ContentDecodingError("too long")
    return _Answer(answer.status_code, answer.headers, content)


def server_of(repository: str) -> str:
    """The registry's host in an image's name; Docker's own rule for names without one."""
    first, slash, _ = repository.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first
    return "docker.io"


def _path(repository: str) -> str:
    server = server_of(repository)
    if server == "docker.io":
        name = repository.removeprefix("docker.io/")
        return name if "/" in name else f"library/{name}"
    return repository.removeprefix(f"{server}/")

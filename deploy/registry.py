"""Asks a registry what a tag stands for now: its digest, its platforms, its labels.

The tag is resolved once, here, and every host pulls that digest, so that a tag which moves while a
deploy goes on cannot give two hosts two images.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests
import stamina

from deploy.errors import Refused

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_TIMEOUT = (5, 15)
"""Seconds to connect, and between two bytes."""


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


class _Retry(Exception):
    """An answer after which asking again is worth it."""


class Registry:
    """One registry, with what it wants to see from us."""

    def __init__(self, server: str, login: Login | None) -> None:
        self.server = server
        self._login = login
        self._session = requests.Session()
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
        answer = self._get(f"{self._base}/{name}/manifests/{tag}", ", ".join(_INDEXES + _MANIFESTS))
        if answer.status_code == requests.codes.not_found:
            return None
        body = self._json(answer)
        digest = answer.headers.get("Docker-Content-Digest") or ""
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise Refused(f"the registry {self.server} gave no digest for {repository}:{tag}")
        manifests = [
            m for m in body.get("manifests", []) if m["platform"].get("os", "unknown") != "unknown"
        ]
        configs = []
        if manifests:
            platforms = [
                f"{m['platform']['os']}/{m['platform']['architecture']}" for m in manifests
            ]
            first = self._get(
                f"{self._base}/{name}/manifests/{manifests[0]['digest']}", ", ".join(_MANIFESTS)
            )
            configs.append(self._config(name, self._json(first)))
        else:
            configs.append(self._config(name, body))
            platforms = [f"{configs[0].get('os')}/{configs[0].get('architecture')}"]
        labels = (configs[0].get("config") or {}).get("Labels") or {}
        return Found(repository, tag, digest, tuple(platforms), labels)

    def _config(self, name: str, manifest: dict[str, Any]) -> dict[str, Any]:
        digest = manifest["config"]["digest"]
        return self._json(self._get(f"{self._base}/{name}/blobs/{digest}", "*/*"))

    def _json(self, answer: requests.Response) -> dict[str, Any]:
        if answer.status_code in {401, 403}:
            who = f"the login of {self._login.username}" if self._login else "an unnamed visitor"
            raise Refused(
                f"the registry {self.server} refused {who} ({answer.status_code})",
                mend="See registry: in the hosts file, and the secret that it names.",
            )
        if not answer.ok:
            raise Refused(f"the registry {self.server} answered {answer.status_code}")
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused(f"{self.server} does not answer like a registry")
        return body

    def _get(self, url: str, accept: str) -> requests.Response:
        try:
            for attempt in stamina.retry_context(
                on=(requests.ConnectionError, requests.Timeout, _Retry),
                attempts=3,
                timeout=30,
                wait_initial=0.3,
            ):
                with attempt:
                    return self._once(url, accept)
        except _Retry as error:
            raise Refused(f"the registry {self.server} answered {error} (3 times)") from None
        except requests.RequestException as error:
            raise Refused(
                f"the registry {self.server} cannot be reached from this machine: "
                f"{type(error).__name__}"
            ) from None
        raise AssertionError("unreachable")

    def _once(self, url: str, accept: str) -> requests.Response:
        headers = {"Accept": accept}
        basic = (self._login.username, self._login.password) if self._login else None
        answer = self._session.get(url, headers=headers, auth=basic, timeout=_TIMEOUT)
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status_code == requests.codes.unauthorized and challenge.startswith("Bearer "):
            token = self._token(challenge, basic)
            answer = self._session.get(
                url, headers=headers | {"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT
            )
        if answer.status_code >= requests.codes.server_error or answer.status_code == 429:
            raise _Retry(str(answer.status_code))
        return answer

    def _token(self, challenge: str, basic: tuple[str, str] | None) -> str:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = fields.pop("realm", "")
        answer = self._session.get(realm, params=fields, auth=basic, timeout=_TIMEOUT)
        body = self._json(answer)
        return str(body.get("token") or body.get("access_token") or "")


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

"""GitHub's REST API, as far as it is needed: one repository, bounded in time, never redirected.

docs.github.com/rest has the paths; `GITHUB_API_URL` says where it is on a server of one's own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from deploy.web import Header, within

_VERSION = "2022-11-28"
_AT_GITHUB = re.compile(
    r"(?:git@|ssh://git@|https://(?:[^/@]*@)?)[\w.-]+(?::\d+)?[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)
"""As git writes a remote: git@github.com:acme/shop.git, https://github.com/acme/shop."""


class NoAnswer(Exception):
    """GitHub did not answer, or said no; why, in words for people. `status` is 0 without one."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Repository:
    """One repository, and who asks. `timeout` is in seconds, for connecting and between bytes.

    All of an answer may take twice that, so that one that trickles is given up as well.
    """

    name: str
    token: str = field(repr=False)
    url: str = "https://api.github.com"
    timeout: float = 10.0
    tries: int = 2
    sleep: Callable[[float], None] = time.sleep

    def get(self, path: str) -> Any:
        """Ask for a path below the repository, "" for itself; None where there is none.

        Raises:
            NoAnswer: it says no, or nothing.
        """
        try:
            return self._send("GET", path, None)
        except NoAnswer as error:
            if error.status == requests.codes.not_found:
                return None
            raise

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Tell it something.

        Raises:
            NoAnswer: it says no, or nothing.
        """
        return self._send("POST", path, body)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        for attempt in range(1, self.tries + 1):
            try:
                return self._once(method, path, body)
            except NoAnswer as error:
                # What was refused would be refused again; a server that is away may come back.
                if attempt == self.tries or 0 < error.status < 500:
                    raise
                self.sleep(0.5)
        raise NoAnswer("it was not asked")

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        def ask() -> requests.Response:
            return requests.request(
                method,
                f"{self.url}/repos/{self.name}{path}",
                json=body,
                auth=Header(f"Bearer {self.token}"),
                headers={
                    "Accept": "application/vnd.github+json",
                    "X-GitHub-Api-Version": _VERSION,
                },
                timeout=self.timeout,
                allow_redirects=False,
            )

        try:
            answer = within(2 * self.timeout, ask)
        except requests.RequestException as error:
            raise NoAnswer(f"{self.url} does not answer ({type(error).__name__})") from None
        if answer.status_code >= 300:
            raise NoAnswer(f"it says {answer.status_code}: {_reason(answer)}", answer.status_code)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise NoAnswer(f"{self.url} answers, and not in JSON", answer.status_code) from None


def _reason(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])[:200]
    except (ValueError, LookupError, TypeError):
        return answer.reason or "no reason given"


def repository(
    environ: Mapping[str, str],
    origin: str = "",
    *,
    timeout: float = 10.0,
    tries: int = 2,
    sleep: Callable[[float], None] = time.sleep,
) -> Repository | None:
    """The repository that is meant, with its token; None where one of both is not known.

    Args:
        environ: the process environment: GITHUB_REPOSITORY, GITHUB_TOKEN or GH_TOKEN, and
            GITHUB_API_URL.
        origin: the address of the checkout's remote, for where the first is not set.
        timeout: seconds for each answer.
        tries: how often it is asked, where it is away.
        sleep: waits before the second try.
    """
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""
    found = _AT_GITHUB.fullmatch(origin)
    name = environ.get("GITHUB_REPOSITORY") or (found[1] if found else "")
    if not token or not re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII):
        return None
    url = environ.get("GITHUB_API_URL") or "https://api.github.com"
    return Repository(name, token, url.rstrip("/"), timeout, tries, sleep)

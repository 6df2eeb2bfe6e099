"""Asks others over HTTP in a bounded time: whatever answers, trickles, hangs, or is away."""

from __future__ import annotations

import email.utils
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import requests
import requests.auth
import stamina

PAUSE = 0.5
"""Seconds before the next try where the other end says nothing about it."""

# It would log each try that it is going to make, past the sink: to standard error, or to whatever
# of structlog's and Prometheus' is installed here.
stamina.instrumentation.set_on_retry_hooks(())

_MOST_BYTES = 64 * 1024
"""Of an answer: what is posted to answers with a few lines."""

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content: bytes

    @property
    def good(self) -> bool:
        """2xx: nothing here follows a redirect, which would hand a token on."""
        return 200 <= self.status < 300


class NoAnswer(Exception):
    """No answer that tells anything, after all tries; says why in words for people."""


class Busy(Exception):
    """What came back was nothing, or an answer after which asking again is worth it.

    It says what in words; `wait` is in seconds.
    """

    def __init__(self, words: str, wait: float = PAUSE) -> None:
        super().__init__(words)
        self.wait = wait


class Header(requests.auth.AuthBase):
    """An Authorization header, or none; without this, requests would take one from ~/.netrc."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put it in, before anything else does."""
        if self._value:
            request.headers["Authorization"] = self._value
        return request


def within(seconds: float, work: Callable[[], T]) -> T:
    """Do some work, and give it up after so many seconds.

    Raises:
        requests.Timeout: it was not done; its thread ends by itself, or with the process.
    """
    done: queue.SimpleQueue[tuple[T] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((work(),))
        except Exception as error:
            done.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        outcome = done.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise requests.Timeout(f"no answer within {seconds:.3g} s") from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome[0]


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    tries: int,
    each: float,
    until: float,
) -> Answer:
    """Post a body; again after 429, 5xx, a lost connection or silence, as long as there is time.

    Args:
        url: where to.
        body: what.
        headers: with the content's type and, where one is wanted, Authorization.
        tries: at most.
        each: seconds for one try, from connecting to the last byte.
        until: when all of it is over, on the monotonic clock; no wait goes beyond it.

    Raises:
        NoAnswer: after the last try.
    """
    return again(lambda: _once(url, body, headers, each), tries=tries, each=each, until=until)


def again(work: Callable[[], T], *, tries: int, each: float, until: float) -> T:
    """Do some work that asks somebody, as often and as long as `post` does.

    Raises:
        NoAnswer: the last try ended with `Busy`, or with an error of requests' own.
    """
    tried = 0

    def worth(error: Exception) -> bool | float:
        if not isinstance(error, Busy | requests.RequestException):
            return False
        wait = error.wait if isinstance(error, Busy) else PAUSE
        return wait if time.monotonic() + wait < until else False

    try:
        for attempt in stamina.retry_context(on=worth, attempts=tries, timeout=None):
            with attempt:
                tried += 1
                return within(min(each, until - time.monotonic()), work)
    except (Busy, requests.RequestException) as error:
        times = f" ({tried} times)" if tried > 1 else ""
        raise NoAnswer(f"{_words(error)}{times}") from None
    raise AssertionError("unreachable")


def _once(url: str, body: bytes, headers: Mapping[str, str], each: float) -> Answer:
    authorization = Header(headers.get("Authorization", ""))
    # A session for each try: one that was given up may still be reading.
    with (
        requests.Session() as session,
        session.post(
            url,
            data=body,
            headers=dict(headers),
            auth=authorization,
            timeout=each,
            allow_redirects=False,
            stream=True,
        ) as answer,
    ):
        if answer.status_code >= 500 or answer.status_code == 429:
            wait = retry_after(answer.headers.get("Retry-After"))
            raise Busy(f"answered {answer.status_code}", wait)
        content = b""
        for piece in answer.iter_content(8192):
            content += piece
            if len(content) > _MOST_BYTES:
                break
        return Answer(answer.status_code, content)


def retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for: a number, or a date (RFC 9110, 10.2.3)."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return PAUSE


def _words(error: Exception) -> str:
    """Without the address, which may have a token in it."""
    match error:
        case Busy():
            return str(error)
        case requests.Timeout():
            return "gave no answer in time"
        case requests.exceptions.SSLError():
            return "has a certificate that does not hold"
        case requests.exceptions.ChunkedEncodingError():
            return "closed the connection early"
        case requests.exceptions.ConnectionError() if "Connection aborted" in str(error):
            return "closed the connection early"
        case _:
            return f"cannot be reached: {type(error).__name__}"

"""Sends the message: by a bot's token one that is edited in place, by a webhook one at each end."""

from __future__ import annotations

import http.client
import json
import logging
import time
import urllib.error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError, SlackClientError

from deploy import web
from deploy.notify.notifier import Kind, Moment

if TYPE_CHECKING:
    from deploy.settings import Secret

TRIES = 2
EACH = 3.0
LIMIT = 5.0
"""Seconds for one message, both tries together."""

# Without one of our own, the SDK writes its errors past the sink to standard error.
_QUIET = logging.getLogger("deploy.notify.slack")
_QUIET.propagate = False
_QUIET.addHandler(logging.NullHandler())

Build = Callable[[Moment], dict[str, Any]]


@dataclass
class Bot:
    """One message, which is edited; where it could not be posted, the next try posts it."""

    token: Secret
    channel: str
    api: str
    build: Build
    name: str = "slack"
    wants: frozenset[Kind] = frozenset({Kind.STARTED, Kind.STEP, Kind.ENDED})
    whole: bool = True
    _posted: tuple[str, str] | None = None

    def take(self, moment: Moment) -> None:
        """Post it or edit it.

        Raises:
            web.NoAnswer: Slack said no, or nothing.
        """
        client = WebClient(
            self.token.reveal(),
            base_url=f"{self.api}/",
            timeout=max(1, int(EACH)),
            retry_handlers=[],
            logger=_QUIET,
        )
        message = self.build(moment)
        posted = self._posted

        def send() -> Mapping[str, Any]:
            if posted:
                channel, ts = posted
                return _answer(lambda: client.chat_update(channel=channel, ts=ts, **message))
            # A link to a pull request is no reason to show what is behind it.
            return _answer(
                lambda: client.chat_postMessage(
                    channel=self.channel, unfurl_links=False, unfurl_media=False, **message
                )
            )

        found = _again(send)
        if not posted:
            self._posted = str(found["channel"]), str(found["ts"])

    def stop(self) -> None:
        """Nothing: what is sent ends by itself."""


@dataclass
class Webhook:
    """Two messages: such an address can't edit what it has posted."""

    url: Secret
    build: Build
    name: str = "slack"
    wants: frozenset[Kind] = frozenset({Kind.STARTED, Kind.ENDED})
    whole: bool = False

    def take(self, moment: Moment) -> None:
        """Post it.

        Raises:
            web.NoAnswer: Slack said no, or nothing.
        """
        client = WebhookClient(
            self.url.reveal(), timeout=max(1, int(EACH)), retry_handlers=[], logger=_QUIET
        )
        message = self.build(moment)

        def send() -> Mapping[str, Any]:
            answer = _caught(lambda: client.send(**message))
            _judged(answer.status_code, answer.headers)
            if answer.status_code != 200:
                raise web.NoAnswer(f"answered {answer.status_code}: {answer.body[:100]}")
            return {}

        _again(send)

    def stop(self) -> None:
        """Nothing: what is sent ends by itself."""


def _again(send: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    return web.again(send, tries=TRIES, each=EACH, until=time.monotonic() + LIMIT)


def _answer(ask: Callable[[], Any]) -> Mapping[str, Any]:
    """What a method of Slack's answers.

    Raises:
        web.Busy: nothing, or that it is too much for now.
        web.NoAnswer: a no.
    """
    try:
        return dict(_caught(ask).data)
    except SlackApiError as error:
        answer = error.response
        if isinstance(answer, Mapping):  # what is no JSON comes without the SDK's own type
            status, headers, said = answer["status"], answer["headers"], ""
        else:
            status, headers, said = answer.status_code, answer.headers, answer.get("error")
        _judged(int(status), headers)
        raise web.NoAnswer(f"answered {said or status}") from None


def _caught(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except SlackApiError:
        raise
    except urllib.error.URLError as error:
        raise web.Busy(f"cannot be reached: {type(error.reason).__name__}") from None
    except TimeoutError:
        raise web.Busy("gave no answer in time") from None
    except (http.client.HTTPException, ConnectionError):
        raise web.Busy("closed the connection early") from None
    except (json.JSONDecodeError, UnicodeDecodeError, SlackClientError) as error:
        raise web.NoAnswer(f"does not answer like Slack: {type(error).__name__}") from None


def _judged(status: int, headers: Mapping[str, Any]) -> None:
    if status == 429 or status >= 500:
        wait = next((v for k, v in headers.items() if k.lower() == "retry-after"), None)
        raise web.Busy(f"answered {status}", web.retry_after(wait))

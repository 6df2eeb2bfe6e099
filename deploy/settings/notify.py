"""The section of a hosts file on who is told of a run, and those within it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from deploy.settings.kinds import Api, SecretName, ShellCommand, Url, matching, wrong
from deploy.settings.sections import Section

if TYPE_CHECKING:
    from deploy.settings.document import KeyPath

_Channel = Annotated[
    str, matching(r"#?[\w.-]{1,80}", "a channel: its id such as C0123456789, or its name")
]


class Slack(Section):
    """By a bot's token one message, edited in place; by a webhook's address one at each end."""

    token: SecretName | None = Field(
        default=None, description="the NAME of the secret; the scope chat:write is all it needs"
    )
    channel: _Channel | None = Field(default=None, description="where the bot posts")
    webhook: SecretName | None = Field(
        default=None, description="the NAME of the secret that is the webhook's address"
    )
    api: Api = "https://slack.com/api"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.token and self.webhook:
            raise wrong("has token and webhook", "leave one of them out")
        if not self.token and not self.webhook:
            raise wrong("has neither token nor webhook", "write the NAME of the secret")
        if self.token and not self.channel:
            raise wrong("has a token, but no channel to post in", "write channel:")
        if self.webhook and self.channel:
            raise wrong("has channel and webhook", "a webhook knows its channel: leave it out")
        return self


class Webhook(Section):
    """Where the record of a run is posted to, signed."""

    url: Url = Field(examples=["https://hooks.shop.example/deploys"])
    key: SecretName = Field(
        description="the NAME of the secret it is signed with", examples=["WEBHOOK_KEY"]
    )


class Hooks(Section):
    """Commands of the team's own, in a shell, from the repository's root."""

    before_deploy: ShellCommand | None = None
    after_host: ShellCommand | None = None
    after_deploy: ShellCommand | None = None
    after_failure: ShellCommand | None = None
    after_rollback: ShellCommand | None = None

    @property
    def commands(self) -> dict[str, str]:
        """Those that there are, by name."""
        return {name: command for name, command in self if command}


class Notify(Section):
    """Who is told of a run."""

    slack: Slack | None = None
    webhook: Webhook | None = None
    hooks: Hooks = Hooks()
    repository: Url | None = Field(
        default=None, description="its page; without it, that of the workflow or of git's origin"
    )
    rollback: Url | None = Field(default=None, description="where a rollback is ordered")

    @property
    def named(self) -> Iterator[tuple[KeyPath, str]]:
        """The names of its secrets, each with the path that names it."""
        if self.slack and self.slack.token:
            yield ("notify", "slack", "token"), self.slack.token
        if self.slack and self.slack.webhook:
            yield ("notify", "slack", "webhook"), self.slack.webhook
        if self.webhook:
            yield ("notify", "webhook", "key"), self.webhook.key

"""The section of a hosts file on CDNs, and those within it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from deploy.settings.kinds import Address, Api, SecretName, matching, wrong
from deploy.settings.sections import Section

if TYPE_CHECKING:
    from deploy.settings.document import KeyPath

_Id = Annotated[str, matching(r"[A-Za-z0-9]{1,64}", "an id of letters and digits")]
_Tag = Annotated[str, matching(r"[!-+\--~]{1,1024}", "a tag without blanks and commas")]
_Prefix = Annotated[
    str, matching(r"[A-Za-z0-9.-]+/[!-~]*", "a host and a path such as shop.example/blog")
]
_File = Annotated[
    str, matching(r"https?://[!-~]+", "an address such as https://shop.example/a.css")
]
_Path = Annotated[str, matching(r"/[!-~]*", "a path such as /* or /blog/*")]


class CloudflarePurge(Section):
    """What of a zone is purged: everything, or one or several of the others."""

    everything: bool = False
    tags: list[_Tag] = Field(default=[])
    hosts: list[Address] = Field(default=[])
    prefixes: list[_Prefix] = Field(default=[])
    files: list[_File] = Field(default=[])

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        _one_thing(self, "tags", "hosts", "prefixes", "files")
        return self


class BunnyPurge(Section):
    """What of a pull zone is purged: everything, or one or both of the others."""

    everything: bool = False
    tags: list[_Tag] = Field(default=[])
    files: list[_File] = Field(default=[])

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        _one_thing(self, "tags", "files")
        return self


def _one_thing(purge: CloudflarePurge | BunnyPurge, *kinds: str) -> None:
    some = any(getattr(purge, kind) for kind in kinds)
    if some and purge.everything:
        raise wrong("says everything, and more", "leave one of them out")
    if not some and not purge.everything:
        raise wrong("purges nothing", f"write one of {', '.join(kinds)}, or everything: true")


class Cloudflare(Section):
    """One zone of Cloudflare's."""

    zone: _Id = Field(examples=["023e105f4ecef8ad9ca31a8372d0c353"])
    token: SecretName = Field(
        description="the NAME of the secret; the right Zone.Cache Purge is all it needs",
        examples=["CLOUDFLARE_TOKEN"],
    )
    purge: CloudflarePurge = Field(examples=["{tags: [html]}"])
    api: Api = "https://api.cloudflare.com/client/v4"


class Fastly(Section):
    """One service of Fastly's."""

    service: _Id = Field(examples=["SU1Z0isxPaozGVKXdv0eY"])
    token: SecretName = Field(
        description="the NAME of the secret; the scope purge_select is all it needs",
        examples=["FASTLY_TOKEN"],
    )
    keys: Annotated[list[_Tag], Field(min_length=1)] = Field(
        description="surrogate keys, purged softly", examples=["[html]"]
    )
    api: Api = "https://api.fastly.com"


class Bunny(Section):
    """One pull zone of Bunny's."""

    pull_zone: Annotated[int, Field(ge=1)] = Field(examples=["12345"])
    key: SecretName = Field(description="the NAME of the secret", examples=["BUNNY_KEY"])
    purge: BunnyPurge = Field(examples=["{tags: [html]}"])
    api: Api = "https://api.bunny.net"


WILDCARDS = 15
"""Paths that end with *, of all invalidations that a distribution has in progress.

docs.aws.amazon.com, "Quotas on invalidations".
"""


class CloudFront(Section):
    """One distribution of CloudFront's."""

    distribution: _Id = Field(examples=["EDFDVBD6EXAMPLE"])
    paths: Annotated[list[_Path], Field(min_length=1)] = Field(examples=["[/, /blog/*]"])

    @model_validator(mode="after")
    def _is_few(self) -> Self:
        count = sum(1 for path in self.paths if path.endswith("*"))
        if count > WILDCARDS:
            raise wrong(
                f"has {count} paths that end with *, and CloudFront takes {WILDCARDS} at a time",
                "write fewer of them that cover more, such as /*",
            )
        return self


class CDN(Section):
    """What is purged once every host serves the release."""

    cloudflare: Cloudflare | None = None
    fastly: Fastly | None = None
    bunny: Bunny | None = None
    cloudfront: CloudFront | None = None

    @property
    def named(self) -> Iterator[tuple[KeyPath, str]]:
        """The names of its secrets, each with the path that names it."""
        if self.cloudflare:
            yield ("cdn", "cloudflare", "token"), self.cloudflare.token
        if self.fastly:
            yield ("cdn", "fastly", "token"), self.fastly.token
        if self.bunny:
            yield ("cdn", "bunny", "key"), self.bunny.key

"""Web servers that end with their test."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from .site import Route, Site

MakeSite = Callable[..., Site]


@pytest.fixture
def make_site() -> Iterator[MakeSite]:
    sites: list[Site] = []

    def make(routes: dict[str, Route], tls: ssl.SSLContext | None = None) -> Site:
        sites.append(Site(routes, tls))
        return sites[-1]

    yield make
    for site in sites:
        site.close()

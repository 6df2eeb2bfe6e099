from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import GitHubServer


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    one = GitHubServer()
    yield one
    one.close()

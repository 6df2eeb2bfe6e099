"""Options of the whole suite, and which tests may run beside which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

SANDBOX = ("tests/fleet/", "tests/sandbox/", "tests/test_registry_real.py")
"""What has the sandbox to itself: there is one, and these change what runs on it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all",
        action="store_true",
        help="all cases of the arrows: every change killed, everything typed; without it, a third",
    )


class Halves(LoadScopeScheduling):
    """Of two processes, one has the sandbox; the other takes all else, file by file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "the sandbox" if file.startswith(SANDBOX) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # the order below is meant
    return Halves(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest comes first, so that neither process waits for the other at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(SANDBOX))

"""Options of the whole suite."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all",
        action="store_true",
        help="all cases of the arrows: every change killed, everything typed; without it, a sixth",
    )


def pytest_configure() -> None:
    """A shell that starts us in the background has interrupts ignored; the tests send some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes the sandbox away comes last."""
    items.sort(key=lambda item: item.path.name == "test_start_over.py")

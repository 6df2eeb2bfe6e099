"""Options of the whole suite, and which tests may run beside which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import images

if TYPE_CHECKING:
    from pathlib import Path

SANDBOX = {"fleet", "sandbox", "test_registry_real.py"}
"""What has the sandbox to itself: there is one, and these change what runs on it."""

LAST = "test_start_over.py"
"""Takes the sandbox away."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all",
        action="store_true",
        help="kill every arrow at each of its changes; without it, at a third of them",
    )


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of two processes, one has the sandbox, and the other takes what needs an engine, or nothing.

    The longest comes first, so that neither waits for the other at the end.
    """
    items.sort(key=lambda item: (item.path.name == LAST, not _on_the_sandbox(item.path)))
    for item in items:
        if _on_the_sandbox(item.path):
            item.add_marker(pytest.mark.xdist_group("sandbox"))


def _on_the_sandbox(path: Path) -> bool:
    return bool(SANDBOX & {*path.parts[-2:]})


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("fleet") and item.path.name != LAST:
        images.use()


def pytest_sessionfinish() -> None:
    images.leave()

"""The fleet for the tests: brought up once, with the versions of the shop that they ask for."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from deploy.sandbox import fleet as sandbox
from deploy.sandbox.load import Load, running
from deploy.sandbox.release import release as build
from tests.fleet.project import EDGE, Project, sandbox_settings

Loads = Callable[..., AbstractContextManager[Load]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/fleet/" in str(item.path).replace("\\", "/"):
            item.add_marker(pytest.mark.fleet)


@pytest.fixture(scope="session")
def fleet() -> None:
    sandbox.up()


@pytest.fixture(scope="session")
def release(fleet: None) -> Callable[..., str]:
    """Build a version once in a session, and return its tag."""

    @functools.cache
    def make(version: str, behaviours: str = "") -> str:
        build(version, behaviours)
        return version

    return make


@pytest.fixture(scope="session")
def shop(fleet: None, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The shop over the whole fleet, rolling, and watched for a second only after each switch."""
    folder = tmp_path_factory.mktemp("shop")
    body = sandbox_settings()
    body["rollout"]["bake"] = "1s"
    return Project(folder / "repository", "sandbox", body)


@pytest.fixture
def settings_of_shop(shop: Project) -> Iterator[Project]:
    """The same, for a test that changes its hosts file."""
    body = dict(shop.body)
    yield shop
    shop.write(body)


@pytest.fixture
def load(request: pytest.FixtureRequest) -> Loads:
    """Send requests for as long as a `with` block runs.

    At 60 a second there is something in flight at every moment; what asks for more says so, since
    generator, edge, proxies and application share two cores with the deploy. Websockets stay open
    as long as they may, and each host would wait for them.
    """

    def make(rate: float = 60, websockets: int = 0, **rest: object) -> AbstractContextManager[Load]:
        return running(EDGE, rate=rate, websockets=websockets, **rest)  # type: ignore[arg-type]

    return make


def no_failure(load: Load) -> None:
    """Assert that every request was answered, and show what was not."""
    report = load.report
    shown = json.dumps([vars(one) for one in report.examples[:5]], indent=1)
    assert report.failed == 0, f"{report.failed} of {report.sent}: {report.reasons}\n{shown}"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"

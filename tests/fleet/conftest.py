"""The fleet for the tests: brought up once, with the versions of the shop that they ask for."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from deploy.sandbox import elsewhere, images, provide
from deploy.sandbox import fleet as sandbox
from deploy.sandbox.home import Home
from deploy.sandbox.load import Load, running
from deploy.sandbox.release import release as build
from tests.fleet.database import DRIZZLE, FILL, sql
from tests.fleet.project import EDGE, Project, on_host

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
    body = elsewhere.settings()
    body["rollout"]["bake"] = "1s"
    return Project(folder / "repository", "sandbox", body)


@pytest.fixture
def settings_of_shop(shop: Project) -> Iterator[Project]:
    """The same, for a test that changes its hosts file."""
    body = dict(shop.body)
    yield shop
    shop.write(body)


@pytest.fixture
def quick(settings_of_shop: Project, release: Callable[..., str]) -> Iterator[Project]:
    """The shop on its `old` version, with two to go to; not watched, and its lease expires soon."""
    shop = settings_of_shop
    tags = [release(tag) for tag in ("v1", "v2", "v3")]
    shop.change(lease={"expires_after": "8s"}, rollout={"bake": "0s", "min_healthy_time": "0s"})
    shop.old, shop.new, shop.other = shop.on_one_of(*tags)
    yield shop
    shop.end()
    if on_host("web-1", "ls /srv/shop/.headway/lease/now /srv/shop/.headway/lease/hold 2>&1 || :"):
        shop.inv("unlock", "--force", "--yes")


@pytest.fixture
def load(request: pytest.FixtureRequest) -> Loads:
    """Send requests for as long as a `with` block runs.

    Of 20 a second nearly two take 2 s, so that something is in flight at every moment; what asks
    for more says so, since generator, edge, proxies and application share two cores with the
    deploy. Websockets stay open as long as they may, and each host would wait for them.
    """

    def make(
        rate: float = 20, slow: float = 0.08, websockets: int = 0, **rest: object
    ) -> AbstractContextManager[Load]:
        return running(EDGE, rate=rate, slow=slow, websockets=websockets, **rest)  # type: ignore[arg-type]

    return make


def no_failure(load: Load) -> None:
    """Assert that every request was answered, and show what was not."""
    report = load.report
    shown = json.dumps([vars(one) for one in report.examples[:5]], indent=1)
    assert report.failed == 0, f"{report.failed} of {report.sent}: {report.reasons}\n{shown}"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture(scope="session")
def image(fleet: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Build a version of the shop with these migrations after its own, push it, return its tag.

    One of the shop's own names is another text for that; one that begins with `late` comes before
    the shop's newest.
    """
    docker = provide.running()
    assert docker is not None
    password = Home().secret("REGISTRY_PASSWORD")

    def make(tag: str, **more: str) -> str:
        folder = tmp_path_factory.mktemp(tag) / "image"
        shutil.copytree(DRIZZLE, folder / "drizzle")
        journal = folder / "drizzle" / "meta" / "_journal.json"
        body = json.loads(journal.read_text())
        for name, text in more.items():
            file = folder / "drizzle" / f"{name}.sql"
            known = file.exists()
            file.write_text(text)
            if known or name.endswith(".down"):
                continue
            last = body["entries"][-1]
            when = last["when"] + (-1 if name.startswith("late") else 1000)
            entry = {**last, "idx": last["idx"] + 1, "when": when, "tag": name}
            body["entries"].append(entry)
        journal.write_text(json.dumps(body))
        lines = ["FROM localhost:5050/shop:v1", "COPY drizzle ./drizzle", f"ENV SHOP_VERSION={tag}"]
        (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
        name = f"localhost:5050/shop:{tag}"
        docker("build", "--quiet", "--tag", name, str(folder))
        with images.login(docker, password) as pusher:
            pusher("push", "--quiet", name)
        return tag

    return make


@pytest.fixture
def shop_with_rows(settings_of_shop: Project, release: Callable[..., str]) -> Iterator[Project]:
    """The shop on v1, backups required, and a table as large as a small team's.

    All hosts are rolled at once, which is quicker, but where two versions have to meet.
    """
    shop = settings_of_shop
    shop.on(release("v1"))
    sql(FILL)
    database = {**shop.body["database"], "backup": {"required": True, "keep": 3}}
    shop.change(database=database, rollout={"strategy": "blue-green"})
    yield shop
    # What the tests have applied goes, so that the shop's own migrations are the newest again.
    newest = json.loads((DRIZZLE / "meta" / "_journal.json").read_text())["entries"][-1]["when"]
    sql("alter table orders drop column if exists colour, drop column if exists old")
    sql(f"delete from drizzle.__drizzle_migrations where created_at > {newest}")  # noqa: S608

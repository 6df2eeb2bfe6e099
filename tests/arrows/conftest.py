"""The images, and projects that leave nothing behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.sandbox import base, images, provide

from .project import APP, HERE, Project, service

MakeProject = Callable[..., Project]

WEB = f"""\
services:
  web:
{service(ports='["127.0.0.1:PORT:3000"]')}
"""

SERVICES = """
web:
  port: 3000
  health: /healthz
  probes: [/]
  version: {path: /healthz, json: version}
  drain: 5s
"""


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The application's versions v1 to v3, and the proxies' images."""
    engine = provide.ready(print)
    base_id = base.ensure(engine, tmp_path_factory.mktemp("base") / "base", print)
    for name in ("node", "caddy", "haproxy"):
        images.build(engine, name, base_id, print)
    for version in ("v1", "v2", "v3"):
        arguments = {"BASE_IMAGE": images.OFFERED["node"], "VERSION": version}
        engine(*images.build_argv(HERE / "app", f"{APP}:{version}", arguments))


@pytest.fixture
def make(application: None, tmp_path: Path) -> Iterator[MakeProject]:
    """Makes projects, from several threads at once too."""
    made: list[Project] = []
    numbers = itertools.count()

    def one(
        compose: str = WEB, services: str = SERVICES, more: str | None = None, image: str = APP
    ) -> Project:
        if more is None:
            more = f"proxy: {{image: '{images.OFFERED['caddy']}'}}"
        project = Project(tmp_path / str(next(numbers)), compose, services, more, image)
        made.append(project)
        return project

    yield one
    with ThreadPoolExecutor() as pool:
        list(pool.map(Project.remove, made))


@pytest.fixture
def project(make: MakeProject) -> Project:
    """A service behind Headway's own Caddy."""
    return make()

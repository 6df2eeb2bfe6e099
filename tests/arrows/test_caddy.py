"""Headway's own Caddy in a version much newer than Debian's, which all other tests have."""

from __future__ import annotations

import http.client
import re
import shutil
import sysconfig
import time
from pathlib import Path

import pytest

from deploy.sandbox.images import OFFERED

from .conftest import SERVICES, WEB, MakeProject
from .project import docker
from .traffic import rolls_lose_nothing

pytestmark = pytest.mark.fleet

NEWER = "hw-test/caddy:newer"


def version(image: str) -> tuple[int, ...]:
    told = docker("run", "--rm", image, "caddy", "version")
    return tuple(int(number) for number in re.findall(r"\d+", told)[:3])


@pytest.fixture(scope="module")
def newer(application: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sandbox's image, but with the program that PyPI has."""
    context = tmp_path_factory.mktemp("caddy")
    shutil.copy(Path(sysconfig.get_path("scripts")) / "caddy", context)
    (context / "Dockerfile").write_text(f"FROM {OFFERED['caddy']}\nCOPY caddy /usr/bin/caddy\n")
    docker("build", "-q", "-t", NEWER, str(context))
    assert version(OFFERED["caddy"]) < (2, 7) < (2, 11) <= version(NEWER)
    return NEWER


def test_rolls_under_traffic_lose_nothing(make: MakeProject, newer: str) -> None:
    rolls_lose_nothing(make(more=f"proxy: {{image: '{newer}'}}"))


def test_requests_in_flight_are_waited_for_and_counted(make: MakeProject, newer: str) -> None:
    services = SERVICES.replace("drain: 5s", "drain: 2s")
    project = make(WEB, services, f"proxy: {{image: '{newer}'}}")
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    project.send("stage", v2)
    short, long = (http.client.HTTPConnection("127.0.0.1", project.port) for _ in range(2))
    short.request("POST", "/slow?ms=1500", body="x")
    long.request("POST", "/slow?ms=20000", body="x")
    time.sleep(0.3)
    project.send("switch", v2)
    report = project.send("settle", v2)
    assert short.getresponse().status == 200
    assert [one["text"] for one in report.all("warned")] == [
        "web: 1 requests were still open after 2 s and are cut"
    ]
    long.close()

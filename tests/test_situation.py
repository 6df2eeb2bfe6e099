"""An environment and its hosts together: what they are asked, and what they are told."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.errors import Refused, Unreachable
from deploy.facts import HostFacts
from deploy.intent import NoImage, find_images
from deploy.registry import Found, Login
from deploy.remote.fake import Call, FakeHost, says
from deploy.situation import Situation

from .compose.project import FLEET, compose_of, environment_of

if TYPE_CHECKING:
    from deploy.remote.host import Result

COMPOSE = "services: {web: {image: acme/shop, ports: ['80:3000']}, worker: {image: acme/shop}}\n"


def situation(root: Path, hosts: str = FLEET, environ: dict[str, str] | None = None) -> Situation:
    compose_of(root, COMPOSE)
    return Situation.of(environment_of(root, hosts, environ))


def test_all_hosts_are_read_at_once_by_one_exec_each(tmp_path: Path) -> None:
    made = situation(tmp_path)
    together = threading.Barrier(len(made.placements))

    def answer(call: Call) -> Result:
        together.wait(timeout=10)
        return says(json.dumps({"event": "host", "user": call.host}))

    hosts = {name: FakeHost(name, answer) for name in made.placements}
    made.hosts = hosts
    found = made.gather(["uploads"])
    assert {name: one.user for name, one in found.items()} == {name: name for name in hosts}
    assert [len(host.calls) for host in hosts.values()] == [1, 1, 1]
    assert all("uploads" in host.calls[0].line for host in hosts.values())


def test_a_host_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    made = situation(tmp_path)
    made.hosts = {
        "web-1": FakeHost("web-1", [("", Unreachable("web-1", "no route to it"))]),
        "worker-1": FakeHost("worker-1", [("", says())]),
        "db-1": FakeHost("db-1", [("", says(exit_code=1))]),
    }
    with pytest.raises(Refused) as caught:
        made.gather()
    assert "no route to it" in caught.value.message
    assert "facts ended with exit code 1" in caught.value.message
    assert made.facts == {}


@pytest.mark.parametrize(
    ("compose", "said"),
    [
        ("2.24.4", ""),
        ("2.29.2", ""),
        ("2.29.2-desktop.1", ""),
        ("2.29.3", "--no-deps"),
        ("v2.40.0", "--no-deps"),
        ("", ""),
    ],
)
def test_dependencies_are_left_alone_where_that_spoils_no_hash(
    tmp_path: Path, compose: str, said: str
) -> None:
    """docker/compose#12069; a host that nobody has read yet gets what is right for the oldest."""
    made = situation(tmp_path)
    assert made.arrows("web-1", {}).settings["no_deps"] == ""
    made.facts = {"web-1": HostFacts(compose=compose)}
    assert made.arrows("web-1", {}).settings["no_deps"] == said


BOTH = FLEET.replace(
    "image: ghcr.io/acme/shop",
    "image: {web: ghcr.io/acme/front, worker: registry.example/acme/back}\n"
    "registry: {server: ghcr.io, username: acme, password: REGISTRY_TOKEN}",
)


class Registries:
    """Those that there are, with what they have; `asked` is what each was asked, and by whom."""

    def __init__(self, *there: str) -> None:
        self.there = there
        self.asked: list[tuple[str, Login | None, str]] = []

    def __call__(self, server: str, login: Login | None) -> Registries:
        self.now = server, login
        return self

    def find(self, repository: str, tag: str) -> Found | None:
        name = f"{repository}:{tag}"
        self.asked.append((*self.now, name))
        if name not in self.there:
            return None
        return Found(repository, tag, f"sha256:{len(self.asked):064}", ("linux/amd64",), {})


def test_a_front_end_and_a_back_end_under_one_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Registries("ghcr.io/acme/front:v1", "registry.example/acme/back:v1")
    monkeypatch.setattr("deploy.intent.Registry", there)
    made = situation(tmp_path, BOTH, {"REGISTRY_TOKEN": "token-0"})
    found = find_images(made, "v1")
    assert {service: one.ref for service, one in found.items()} == {
        "web": f"ghcr.io/acme/front@sha256:{1:064}",
        "worker": f"registry.example/acme/back@sha256:{2:064}",
    }
    # The token is for the registry that it belongs to.
    assert there.asked == [
        ("ghcr.io", Login("acme", "token-0"), "ghcr.io/acme/front:v1"),
        ("registry.example", None, "registry.example/acme/back:v1"),
    ]


def test_half_of_a_version_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.intent.Registry", Registries("ghcr.io/acme/front:v2"))
    made = situation(tmp_path, BOTH, {"REGISTRY_TOKEN": "token-0"})
    with pytest.raises(NoImage, match=r"^there is no image registry\.example/acme/back:v2"):
        find_images(made, "v2")
    with pytest.raises(NoImage, match=r"acme/front:v3, registry\.example/acme/back:v3"):
        find_images(made, "v3")


def test_one_image_of_two_services_is_asked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Registries("ghcr.io/acme/shop:v1")
    monkeypatch.setattr("deploy.intent.Registry", there)
    found = find_images(situation(tmp_path), "v1")
    assert found["web"] == found["worker"]
    assert len(there.asked) == 1

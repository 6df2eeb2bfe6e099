"""What `facts.sh` says, understood: as real hosts said it, and as broken ones would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.facts import Container, Disk, HostFacts, Unfinished, read

FOLDER = Path(__file__).parent / "facts"


def said(*events: dict[str, Any]) -> list[str]:
    return [json.dumps(event) for event in events]


HOST = {"event": "host", "user": "deploy", "arch": "x86_64", "time": "1795382041", "name": "web-1"}
PLACE = {"event": "folder", "writable": "yes", "exists": "yes", "place": "/srv/shop"}


def web_1() -> list[str]:
    """What a web host of the sandbox said, after some deploys, a revert and a rollback."""
    return (FOLDER / "web-1.jsonl").read_text().splitlines()


def test_a_real_web_host() -> None:
    facts = read(web_1())
    assert (facts.user, facts.arch, facts.time) == ("deploy", "x86_64", 1795382041)
    assert (facts.docker, facts.docker_problem) == ("26.1.5+dfsg1", "")
    assert (facts.compose, facts.compose_problem) == ("2.26.1-4", "")
    assert (facts.writable, facts.exists) == (True, True)
    assert facts.missing_tools == facts.absent_paths == facts.edited == ()
    assert [disk.mount for disk in facts.disks] == ["/srv", "/var/lib/docker", "/"]
    assert facts.disks[0] == Disk("/srv/shop", "/srv", 74883708, 16182911)
    assert facts.release == "a1-ee3f8b9e"
    assert len(facts.override_sum) == len(facts.env_sum) == 64
    assert facts.unfinished is None
    assert set(facts.hashes) == {"proxy", "web"}
    assert sorted(facts.releases) == [
        "a1-ee3f8b9e",
        "a2-533f825a",
        "a3-5a0750f6",
        "bad-8676914e",
        "v2-fc47042f",
    ]
    assert facts.releases["a2-533f825a"].tag == "a2"
    assert len(facts.journal) == 18
    assert facts.journal[-1]["verb"] == "rollback"
    (web,) = facts.of("web")
    assert web == Container(
        id="783952d404713cb2f8a3b623ffd50e739c22daace353f0368bdf6d711ddc74a7",
        service="web",
        state="running",
        health="healthy",
        restarts=0,
        started="2026-11-22T21:13:32.804309989Z",
        image=facts.releases["a1-ee3f8b9e"].images["web"],
        hash=facts.hashes["web"],
        slot="blue",
    )
    assert facts.live_slot("web") == "blue"
    (proxy,) = facts.of("proxy")
    assert (proxy.health, proxy.slot, proxy.well) == ("", "", True)


def test_a_real_database_host() -> None:
    facts = read((FOLDER / "db-1.jsonl").read_text().splitlines())
    assert [one.service for one in facts.containers] == ["database"]
    assert facts.disks == (
        Disk("/srv/shop", "/srv", 74877776, 16182910),
        Disk("/var/lib/docker", "/var/lib/docker", 74877776, 16182910),
        Disk("/var/lib", "/", 74877776, 16182910),
    )
    assert facts.live == {}


def test_garbage_between_the_lines_changes_nothing() -> None:
    lines = web_1()
    garbage = ["Welcome to web-1!", "", "{", '{"no":"event"}', "[]", "null", '{"event":"unheard"}']
    mixed = [text for line in lines for text in (*garbage, line)]
    assert read(mixed) == read(lines)


@pytest.mark.parametrize("length", range(0, 36, 5))
def test_output_that_was_cut_is_read_as_far_as_it_goes(length: int) -> None:
    facts = read([*web_1()[:length], '{"event":"cont'])
    assert facts.user == ("deploy" if length else "")
    assert len(facts.containers) == max(0, min(length, 13) - 11)


def test_nothing_at_all() -> None:
    facts = read([])
    assert facts == HostFacts(writable=False)
    assert not facts.exists
    assert facts.release == ""


def test_a_host_without_docker() -> None:
    facts = read(
        said(
            HOST,
            {"event": "missing", "tool": "curl"},
            {"event": "missing", "tool": "flock"},
            {"event": "folder", "writable": "no", "exists": "no", "place": "/srv"},
            {"event": "disk", "path": "/srv", "mount": "/", "free_kb": "12", "free_inodes": ""},
            {"event": "docker", "problem": "missing"},
        )
    )
    assert facts.missing_tools == ("curl", "flock")
    assert (facts.docker, facts.docker_problem) == ("", "missing")
    assert (facts.compose, facts.compose_problem) == ("", "")
    assert (facts.writable, facts.exists) == (False, False)
    assert facts.disks == (Disk("/srv", "/", 12, None),)


def test_a_user_without_rights_to_docker() -> None:
    problem = "permission denied while trying to connect to the Docker daemon socket"
    facts = read(said(HOST, PLACE, {"event": "docker", "problem": problem}))
    assert facts.docker_problem == problem
    assert facts.containers == ()


def test_docker_without_compose() -> None:
    problem = "docker: 'compose' is not a docker command.\nSee 'docker --help'"
    facts = read(
        said(
            HOST,
            PLACE,
            {"event": "docker", "version": "20.10.24"},
            {"event": "compose", "problem": problem},
        )
    )
    assert (facts.docker, facts.compose, facts.compose_problem) == ("20.10.24", "", problem)


def test_an_old_compose_is_named_by_its_version() -> None:
    facts = read(said(HOST, PLACE, {"event": "compose", "version": "2.6.0"}))
    assert (facts.compose, facts.compose_problem) == ("2.6.0", "")


@pytest.mark.parametrize("free", ["", "-"])
def test_a_file_system_that_counts_no_inodes(free: str) -> None:
    disk = {"event": "disk", "path": "/srv", "mount": "/", "free_kb": "12", "free_inodes": free}
    assert read(said(disk)).disks == (Disk("/srv", "/", 12, None),)


def test_one_disk_counts_once() -> None:
    disk = {"event": "disk", "path": "/srv", "mount": "/", "free_kb": "12", "free_inodes": "7"}
    facts = read(said(HOST, disk, {**disk, "path": "/var/lib", "free_kb": "13"}))
    assert facts.disks == (Disk("/srv", "/", 12, 7),)


def test_a_roll_that_was_cut_off() -> None:
    facts = read(
        said(
            HOST,
            {"event": "release_now", "id": "v1-1"},
            {"event": "unfinished", "release": "v2-2", "deploy": "d-1", "phase": "switched"},
            {"event": "slot", "service": "web", "live": "green"},
            {"event": "edited", "file": ".env"},
            {"event": "absent", "path": "data"},
        )
    )
    assert facts.unfinished == Unfinished("v2-2", "d-1", "switched")
    assert (facts.live_slot("web"), facts.live_slot("other")) == ("green", "blue")
    assert facts.edited == (".env",)
    assert facts.absent_paths == ("data",)


CONTAINER = {
    "event": "container",
    "id": "1",
    "service": "web",
    "state": "running",
    "health": "healthy",
    "restarts": 3,
    "started": "2026-01-02T03:04:05Z",
    "image": "shop",
    "hash": "h",
}


@pytest.mark.parametrize(
    ("aliases", "slot"),
    [
        (["web-blue"], "blue"),
        (["shop-web-2", "web", "web-green", "1"], "green"),
        (["web"], ""),
        (["other-blue", "web-blue-2"], ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_slot_is_the_alias_and_nothing_else(aliases: list[str] | None, slot: str) -> None:
    (container,) = read(said({**CONTAINER, "aliases": aliases})).containers
    assert container.slot == slot
    assert container.restarts == 3


@pytest.mark.parametrize(
    ("state", "health", "well"),
    [
        ("running", "healthy", True),
        ("running", "", True),
        ("running", "starting", True),
        ("running", "unhealthy", False),
        ("exited", "healthy", False),
        ("restarting", "", False),
    ],
)
def test_well(state: str, health: str, well: bool) -> None:
    (container,) = read(said({**CONTAINER, "state": state, "health": health})).containers
    assert container.well == well


@pytest.mark.parametrize(
    "release",
    [
        {"v": 2, "id": "v9-9", "tag": "v9", "images": {}, "created": "x", "new": 1},
        {"v": 1, "id": "v9-9"},
        {"v": 1, "id": "v9-9", "tag": "v9", "images": {}, "created": "x", "odd": 1},
        {},
        5,
        "v9-9",
        None,
    ],
)
def test_a_release_that_cannot_be_read_is_passed_over(release: Any) -> None:
    good = {"v": 1, "id": "v1-1", "tag": "v1", "images": {"web": "i"}, "created": "2026"}
    facts = read(
        said({"event": "release", "release": release}, {"event": "release", "release": good})
    )
    assert list(facts.releases) == ["v1-1"]


@pytest.mark.parametrize(
    ("state", "code", "policy", "ended_well"),
    [
        ("exited", 0, "no", True),
        ("exited", 0, "", True),
        ("exited", 1, "no", False),
        # Somebody has stopped it: it is meant to run.
        ("exited", 0, "unless-stopped", False),
        ("running", 0, "no", False),
    ],
)
def test_ended_well(state: str, code: int, policy: str, ended_well: bool) -> None:
    event = {**CONTAINER, "state": state, "exit": code, "policy": policy}
    (container,) = read(said(event)).containers
    assert container.ended_well is ended_well

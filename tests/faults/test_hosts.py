"""What befalls a host itself: its Docker, its power, its disk, its memory, its clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.sandbox.breaking import breaking
from tests.faults.questions import ask, ask_whichever
from tests.faults.watched import DOCKER, broken_at, end_of, forget_images, gone_for, until
from tests.fleet.database import EXPAND, sql

if TYPE_CHECKING:
    from tests.fleet.conftest import Loads
    from tests.fleet.project import Done, Project

pytestmark = pytest.mark.fleet

HOST = "web-2"
PULL, STAGE = "before the pull", "before stage"


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        pytest.param("restart", "stage", marks=pytest.mark.thorough),
        ("docker", "switch"),
        pytest.param("restart", "switch", marks=pytest.mark.thorough),
        pytest.param("docker", "stage", marks=pytest.mark.thorough),
    ],
)
def test_a_host_starts_again(quick: Project, load: Loads, fault: str, step: str) -> None:
    """Its dockerd alone, or all of it. Containers end by that, and what was asked meanwhile fails.

    How far the run comes is a matter of which question comes before the engine answers again.
    """
    quick.change(rollout={"bake": "3s"})
    gone: list[tuple[float, float]] = []
    with load() as traffic:
        process = quick.start("deploy", "--tag", quick.new)
        said = until(process, f"· {HOST}     {step}")
        with gone_for(HOST, gone), breaking(DOCKER, fault, HOST):
            pass
        done = end_of(process, said)
    ask_whichever(quick, traffic, done, old=quick.old, new=quick.new, gone=gone)


# Fault, when it comes to the second host, the exit code, and what is said.
DISKS = [
    ("docker-full", STAGE, 4, "docker compose could not start web"),
    ("docker-full", PULL, 4, "could not pull localhost:5050/shop@"),
    ("docker-inodes-full", STAGE, 4, "docker compose could not start web"),
    ("docker-inodes-full", PULL, 4, "could not pull localhost:5050/shop@"),
    ("disk-full", PULL, 4, "the release's files did not arrive whole"),
    ("inodes-full", PULL, 4, "cannot write to /srv/shop/.headway"),
    ("disk-full", STAGE, 4, "cannot write to /srv/shop/.headway"),
    # Nothing can be written there, so nobody can say that it was put back either.
    ("inodes-full", STAGE, 5, "cannot write to /srv/shop/.headway"),
    ("read-only", STAGE, 5, "cannot write to /srv/shop"),
]


@pytest.mark.parametrize(
    ("fault", "when", "code", "reason"),
    [
        pytest.param(*case, marks=[pytest.mark.thorough] if number else [])
        for number, case in enumerate(DISKS)
    ],
    ids=[f"{fault}-{when}" for fault, when, *_ in DISKS],
)
def test_a_disk_that_takes_nothing_more(
    quick: Project, load: Loads, fault: str, when: str, code: int, reason: str
) -> None:
    if when == PULL:
        forget_images(HOST)
    with load() as traffic:
        if when == PULL:
            with breaking(DOCKER, fault, HOST):
                first = quick.deploy(quick.new)
        else:
            # The first host is being staged: the second has pulled, and its turn comes later.
            first = broken_at(quick, "· web-1     stage", fault, HOST)
        before = set(quick.tags().values())
        again = quick.deploy(quick.new)
    assert first.exit_code == code, first.text
    step = "pull" if when == PULL else "stage"
    failed = [line for _, line in first.lines if line.startswith(f"✗ {HOST}     {step}")]
    assert len(failed) == 1, first.text
    assert reason in failed[0]
    if fault.startswith("docker"):
        assert "no space left on device" in first.text
    assert before == {quick.old}
    ask(quick, traffic, again, exit_code=0, version=quick.new, first=first)


def test_a_folder_that_is_read_only_from_the_start(quick: Project, load: Loads) -> None:
    with load() as traffic, breaking(DOCKER, "read-only", HOST):
        done = quick.deploy(quick.new)
    ask(quick, traffic, done, exit_code=3, version=quick.old)
    assert f"{HOST}  /srv/shop: " in done.text
    assert "its file system is read-only" in done.text
    assert "Nothing has been changed." in done.text


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        ("backup-full", 3, "db-1: no room for a backup"),
        pytest.param(
            "backup-inodes-full",
            4,
            "the dump could not be written",
            marks=pytest.mark.thorough,
        ),
    ],
    ids=["full", "no inodes"],
)
def test_a_disk_that_takes_no_backup(
    shop_with_rows: Project,
    image: Callable[..., str],
    load: Loads,
    fault: str,
    code: int,
    reason: str,
) -> None:
    """Without its backup, nothing is migrated, and no host is rolled."""
    tag = image(f"no-backup-{code}", x1_colour=EXPAND)
    with load() as traffic, breaking(DOCKER, fault, "db-1"):
        done = shop_with_rows.deploy(tag)
    ask(shop_with_rows, traffic, done, exit_code=code, version="v1")
    assert reason in done.text
    assert sql("select count(*) from pg_attribute where attname = $$colour$$") == "0"


@pytest.mark.parametrize(
    "restart",
    ["unless-stopped", pytest.param('"no"', marks=pytest.mark.thorough)],
    ids=["restarted", "ended"],
)
def test_more_memory_than_there_is(
    quick: Project, load: Loads, tmp_path: Path, restart: str
) -> None:
    """The new release passes its limit while it starts; that is named, restarted or not."""
    if restart != "unless-stopped":
        text = quick.compose_text()
        end = "    restart: unless-stopped\n\n  worker:"
        assert text.count(end) == 1
        (tmp_path / "compose.yaml").write_text(
            text.replace(end, f"    restart: {restart}\n\n  worker:")
        )
        (tmp_path / "Caddyfile").write_text(quick.beside("Caddyfile"))
        quick.change(compose=str(tmp_path / "compose.yaml"))
    with load() as traffic, breaking(DOCKER, "oom", "web-1"):
        done = quick.deploy(quick.new)
    ask(quick, traffic, done, exit_code=4, version=quick.old)
    assert _failed(done) == "web ran out of memory and was killed (OOMKilled)"


def _failed(done: Done) -> str:
    """Why the run failed: what its one line of a failed step says after host and step."""
    lines = [line for _, line in done.lines if line.startswith("✗ ")]
    assert len(lines) == 1, done.text
    return lines[0].split(maxsplit=3)[3]


@pytest.mark.thorough
def test_clocks_three_days_off(quick: Project, load: Loads) -> None:
    """On the keeper of the lease, and on another host: order is not a matter of their clocks."""
    with (
        load() as traffic,
        breaking(DOCKER, "clock", "web-1"),
        breaking(DOCKER, "clock", HOST),
    ):
        first = quick.deploy(quick.new)
        on = set(quick.tags().values())
        back = quick.inv("rollback")
    assert first.exit_code == 0, first.text
    assert on == {quick.new}
    ask(quick, traffic, back, exit_code=0, version=quick.old, first=first)

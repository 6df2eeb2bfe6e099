"""A host refuses what comes under a lease that is older than one it has seen."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.database.backup.copies import Copies, _File
from deploy.remote.arrows import ArrowFailed, Arrows, Fenced
from tests.localhost import LocalHost


def send(folder: Path, fence: int, token: str, arrow: str = "true", lock_wait: str = "5") -> None:
    names = ("project", "network", "release", "deploy", "verb", "by", "keep")
    settings = {**dict.fromkeys(names, ""), "dir": str(folder), "lock_wait": lock_wait}
    arrows = Arrows(LocalHost(), settings | {"fence": str(fence)}, "caddy")
    arrows.send(arrow, token=token, timeout=20)


def seen(folder: Path) -> str:
    return (folder / ".headway" / "fence").read_text().strip()


def test_it_takes_the_same_and_a_higher_number(tmp_path: Path) -> None:
    for number, token in ((3, "a"), (3, "b"), (7, "c")):
        send(tmp_path, number, token)
    assert seen(tmp_path) == "7"


def test_it_refuses_a_lower_one(tmp_path: Path) -> None:
    send(tmp_path, 7, "a")
    with pytest.raises(Fenced, match="taken the lease over") as refused:
        send(tmp_path, 3, "b")
    assert refused.value.exit_code == 6
    assert seen(tmp_path) == "7"
    assert not (tmp_path / ".headway" / "run" / "b.log").exists(), "nothing was begun"


def test_what_had_ended_before_is_answered_as_it_ended(tmp_path: Path) -> None:
    """Its connection was lost at the end: to ask again changes nothing."""
    send(tmp_path, 3, "a")
    send(tmp_path, 7, "b")
    send(tmp_path, 3, "a")


def test_who_takes_over_waits_for_every_kind_of_script(tmp_path: Path) -> None:
    send(tmp_path, 3, "a")
    lock = tmp_path / ".headway" / "backup.lock"
    with subprocess.Popen(["flock", lock, "sleep", "60"], start_new_session=True) as backup:
        try:
            while (
                subprocess.run(["flock", "--nonblock", lock, "true"], check=False).returncode == 0
            ):
                time.sleep(0.05)
            with pytest.raises(ArrowFailed, match="a backup of an earlier run has been at work"):
                send(tmp_path, 4, "b", "bar", lock_wait="1")
        finally:
            os.killpg(backup.pid, signal.SIGKILL)
    send(tmp_path, 4, "c", "bar", lock_wait="5")


def copied(folder: Path, fence: int) -> str:
    """A small backup of `db-1`, copied to another host under a number."""
    place = folder / "backups"
    place.mkdir(exist_ok=True)
    (place / "shop.dump").write_bytes(b"dump")
    settings = {"dir": str(folder), "fence": str(fence)}
    backups: Any = SimpleNamespace(
        access=SimpleNamespace(settings=settings, host=LocalHost("db-1")),
        home=str(folder),
        folder=str(place),
        host="db-1",
        timeout=20,
    )
    manifest: Any = SimpleNamespace(name="shop", to_json=lambda: "{}")
    digest = hashlib.sha256(b"dump").hexdigest()
    copies = Copies(backups, {"other": LocalHost("other")}, [], folder)
    return copies._to_host("other", str(folder / "kept"), manifest, _File("shop.dump", 4, digest))


def test_a_copy_of_a_backup_is_not_written_under_an_older_one(tmp_path: Path) -> None:
    assert copied(tmp_path, 3) == f"other:{tmp_path}/kept/shop.dump"
    assert (tmp_path / "kept" / "shop.dump").read_bytes() == b"dump"
    (tmp_path / ".headway" / "fence").write_text("4\n")
    (tmp_path / "kept" / "shop.dump").unlink()
    with pytest.raises(Fenced, match="other: somebody has taken the lease over"):
        copied(tmp_path, 3)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["shop.json"]


def test_without_a_lease_nothing_is_compared(tmp_path: Path) -> None:
    send(tmp_path, 7, "a")
    send(tmp_path, 0, "b")
    assert seen(tmp_path) == "7"


def test_a_number_that_was_cut_off_on_its_way_to_the_disk_counts_as_none(tmp_path: Path) -> None:
    send(tmp_path, 7, "a")
    (tmp_path / ".headway" / "fence").write_text("")
    send(tmp_path, 8, "b")
    assert seen(tmp_path) == "8"

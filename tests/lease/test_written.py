"""What the scripts of the lease write, and what they find that they did not write."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.errors import Refused
from deploy.lease.words import Claim
from tests.lease.conftest import claim, place, quiet

if TYPE_CHECKING:
    from deploy.lease.keeper import Keeper


def test_a_folder_that_is_not_ours(keeper: Keeper) -> None:
    folder = Path(keeper.arrows.settings["dir"])
    (folder / ".headway").write_text("")
    with pytest.raises(Refused, match="cannot write to"):
        keeper.take(claim("d-1"), quiet)


def test_a_lease_of_a_newer_headway_is_not_guessed_at(keeper: Keeper) -> None:
    keeper.take(claim("d-1"), quiet)
    file = place(keeper) / "now"
    file.write_text(file.read_text().replace('"v":1', '"v":2'))
    with pytest.raises(Refused, match="newer version of Headway"):
        keeper.take(claim("d-2"), quiet)


NEWER = {
    "expired": '{"v":2,"token":7,"run":"d-1","boot":"0-0-0-0","renewed":0,"ttl":-1}',
    "in another form": '{"v":2,"owner":{"name":"ana"}}',
}


@pytest.mark.parametrize("written", NEWER.values(), ids=NEWER)
@pytest.mark.parametrize("name", ["now", "hold"])
def test_nothing_is_written_over_what_a_newer_headway_wrote(
    keeper: Keeper, name: str, written: str
) -> None:
    keeper.take(claim("d-1"), quiet).release()
    file = place(keeper) / name
    file.write_text(written + "\n")
    before = {path.name: path.read_bytes() for path in place(keeper).iterdir() if path.is_file()}
    for ask in (lambda: keeper.take(claim("d-2"), quiet), lambda: keeper.hold(claim("h-3"))):
        with pytest.raises(Refused, match="newer version of Headway"):
            ask()
    after = {path.name: path.read_bytes() for path in place(keeper).iterdir() if path.is_file()}
    assert after == before


def test_a_line_that_was_cut_off_is_nobodys(keeper: Keeper) -> None:
    keeper.take(claim("d-1"), quiet)
    (place(keeper) / "now").write_text("")
    assert keeper.take(claim("d-2"), quiet).token == 2


def test_a_name_cannot_become_another_key(keeper: Keeper) -> None:
    keeper.take(Claim("d-1", 'x","token":99,"y":"', 'a","ttl":0,"b":"'), quiet)
    written = json.loads((place(keeper) / "now").read_text())
    assert written["token"] == 1
    assert written["ttl"] == 40
    assert keeper.ask(claim("d-2"), "lease_take").last("busy")


def test_what_is_written_is_synced(keeper: Keeper, tmp_path: Path) -> None:
    """A line counts when it would be there after a power cut: sync is called for each file."""
    log = tmp_path / "synced"
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    real = subprocess.run(["which", "sync"], capture_output=True, text=True, check=True).stdout
    (bin_ / "sync").write_text(f'#!/bin/sh\necho "$@" >>{log}\nexec {real.strip()} "$@"\n')
    (bin_ / "sync").chmod(0o755)
    keeper.arrows.host.environ = {"PATH": f"{bin_}:/usr/bin:/bin"}  # type: ignore[attr-defined]
    lease = keeper.take(claim("d-1"), quiet)
    log.unlink()
    lease.record({"what": "began"})
    records = place(keeper) / "records"
    assert f"{records}/d-1.jsonl {records}" in log.read_text(), "and the name of a new one"
    log.unlink()
    lease.record({"what": "doing"})
    assert f"{records}/d-1.jsonl\n" in log.read_text()

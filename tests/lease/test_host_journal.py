"""What a host writes down about itself is on its disk before the script goes on."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.remote.arrows import Arrows
from tests.localhost import LocalHost


def test_a_line_of_the_journal_is_synced(tmp_path: Path) -> None:
    log = tmp_path / "synced"
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sync").write_text(f'#!/bin/sh\necho "$@" >>{log}\nexec /usr/bin/env -i sync "$@"\n')
    (folder / "sync").chmod(0o755)
    names = ("project", "network", "keep")
    settings = {
        **dict.fromkeys(names, ""),
        "dir": str(tmp_path / "srv"),
        "lock_wait": "5",
        "deploy": "d-1",
        "verb": "deploy",
        "release": "v2-1",
        "by": "ana",
    }
    (tmp_path / "srv").mkdir()
    host = LocalHost(environ={"PATH": f"{folder}:/usr/bin:/bin"})
    Arrows(host, settings, "caddy").send("journal", ["settled"], token="t", timeout=20)
    file = tmp_path / "srv" / ".headway" / "journal.jsonl"
    line = json.loads(file.read_text())
    assert (line["deploy"], line["what"]) == ("d-1", "settled")
    assert str(file) in log.read_text().split()

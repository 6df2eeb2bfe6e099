"""What people type, and what they read, on a host that is this machine."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from deploy.tasks import backup, restore
from deploy.tasks.backup import words_of
from tests.localhost import LocalHost

from .conftest import CLIENT, FEW, QUOTED, Server, asked

WORDS = {
    "none": ("backup.x", []),
    "one": ("backup.x create", ["create"]),
    "a flag after it": ("backup.x list --json", ["list"]),
    "a flag before it": ("backup.x --json list", []),
    "two": ("backup.x verify shop-1", ["verify", "shop-1"]),
    "with the file's ending": ("backup.x verify shop-1.dump", ["verify", "shop-1.dump"]),
    "another task": ("backup.x create status.x", ["create"]),
    "of another": ("backup.y create", []),
    "completion": ("--complete -- backup.x create", []),
}


@pytest.mark.parametrize(("line", "words"), WORDS.values(), ids=WORDS)
def test_words(line: str, words: list[str]) -> None:
    assert words_of("backup.x", line.split()) == words


HOSTS = """\
app: shop
path: {path}
image: localhost:5050/shop
secrets: [DATABASE_URL]
hosts: {{here: {{address: 127.0.0.1, roles: [web]}}}}
services: {{web: {{port: 3000}}}}
database:
  kind: postgres
  url: DATABASE_URL
  image: {image}
  backup: {{keep: 2, copy_to: [{{to: local, folder: copies}}]}}
"""
COMPOSE = "services: {web: {image: '${SHOP_IMAGE:?}', ports: ['80:3000']}}\n"


@pytest.fixture
def root(server: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    text = HOSTS.format(path=tmp_path / "srv", image=f"'{CLIENT}'")
    (tmp_path / "hosts/staging.yaml").write_text(text)
    url = f"postgresql://shop:{QUOTED}@127.0.0.1:{server.port}/{database}"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr("deploy.situation.hosts_of", lambda _: {"here": LocalHost("here")})
    monkeypatch.setattr(sys, "argv", ["inv"])
    return tmp_path


def typed(root: Path, module: Any, **arguments: Any) -> None:
    module.make(root, "staging").body(None, **arguments)


@pytest.mark.fleet
def test_the_whole_story(
    root: Path, server: Server, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(root, backup)
    assert capsys.readouterr().out == "There is no backup yet: inv backup.staging create\n"

    typed(root, backup, action="create")
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("  dumped in ")
    assert out[1].startswith(f"  copied to {root}/copies/")
    assert "→ 8.1 MB, decoded, in " in out[2]
    name = out[2].split()[0]
    assert out[3] == f"Back to it: inv restore.staging {name}"

    typed(root, backup, action="list")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "shop · staging"
    assert name in lines[2]
    assert "8.1 MB" in lines[2]
    assert "decoded" in lines[2]
    assert lines[2].endswith(f"here, {root}/copies/{name}.dump")

    typed(root, backup, action="list", json=True)
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["name"], one["proof"]) == (name, "decoded")
    assert one["where"] == ["here", f"{root}/copies/{name}.dump"]

    typed(root, backup, action="verify", name=f"{name}.dump")
    assert f"{name} is as it was written: 8.1 MB" in capsys.readouterr().out

    asked(server.access(database), "drop table big")
    typed(root, restore, backup=name, yes=True)
    out = capsys.readouterr().out
    assert f"shop · staging · {database} ← {name}" in out
    assert "every write since" in out
    assert f'drop database "{database}_before_' in out
    assert asked(server.access(database), "select count(*) from big") == ["200000"]


@FEW
@pytest.mark.fleet
def test_nobody_to_ask_is_no_yes(
    root: Path,
    server: Server,
    database: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed(root, backup, action="create")
    name = capsys.readouterr().out.splitlines()[2].split()[0]
    monkeypatch.setattr(sys, "stdin", open(os.devnull, encoding="utf-8"))  # noqa: SIM115
    with pytest.raises(Exit) as caught:
        typed(root, restore, backup=name)
    assert caught.value.code == 2
    assert "nobody is here to be asked\nNothing has been changed." in str(caught.value.message)
    found = asked(server.access("postgres"), "select datname from pg_database")
    assert [one for one in found if one.startswith(database)] == [database]


WRONG = {
    "no such word": (backup, {"action": "crate"}, 2, "backup knows no 'crate'"),
    "verify nothing": (backup, {"action": "verify"}, 2, "verify which backup?"),
    "verify none": (backup, {"action": "verify", "name": "x"}, 2, "there is no backup 'x'"),
    "restore nothing": (restore, {}, 2, "restore which backup?"),
    "restore none": (restore, {"backup": "x"}, 2, "there is no backup 'x' on here"),
}


@FEW
@pytest.mark.fleet
@pytest.mark.parametrize(("module", "arguments", "code", "message"), WRONG.values(), ids=WRONG)
def test_what_makes_no_sense(
    root: Path, module: Any, arguments: dict[str, str], code: int, message: str
) -> None:
    with pytest.raises(Exit) as caught:
        typed(root, module, **arguments)
    assert caught.value.code == code
    assert message in str(caught.value.message)

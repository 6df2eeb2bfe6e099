"""The step that migrates: what it asks, in which order, and what it makes of the answers."""

from __future__ import annotations

import io
import json
import re
import tarfile
from dataclasses import dataclass, field
from typing import Any

import pytest

from deploy.database.migrations.failure import MigrationFailed
from deploy.database.migrations.script import Limits
from deploy.errors import CommandFailed, NeedsPerson, Refused
from deploy.remote.fake import FakeHost
from deploy.remote.host import Result
from deploy.steps.migrate import Migrate


def image(*tags: str) -> bytes:
    """What `docker cp` prints of an image that has these migrations."""
    entries = [{"tag": tag, "when": when} for when, tag in enumerate(tags, start=1)]
    files = {"meta/_journal.json": json.dumps({"entries": entries}).encode()}
    files |= {f"{tag}.sql": f"select '{tag}'".encode() for tag in tags}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"drizzle/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@dataclass
class Database:
    """A database that does what it is told, or only says so."""

    there: list[tuple[str, int]] = field(default_factory=list)
    lies: bool = False
    fails: bool = False
    applied: list[str] = field(default_factory=list)
    host: FakeHost = field(
        default_factory=lambda: FakeHost("db-1", lambda _: Result(0, b"", b"", 0))
    )

    def psql(self, sql: str, *, timeout: float, doing: str) -> str:
        del timeout
        if "insert into" not in sql:
            rows = [
                json.dumps({"id": number, "hash": digest, "created_at": when})
                for number, (digest, when) in enumerate(self.there, start=1)
            ]
            return "\n".join(["v0", *rows] if rows else [])
        self.applied.append(sql)
        if self.fails:
            said = "headway begin 0\nERROR:  42601: syntax error\n"
            raise CommandFailed("db-1", doing, exit_code=3, stderr=said)
        found = re.findall(r"values \('(\w+)', (\d+)\)", sql)
        if not self.lies:
            self.there += [(digest, int(when)) for digest, when in found]
        return "\n".join(f"headway done {number} 0.1" for number in range(len(found)))


LIMITS = Limits(5, 600)


def step(database: Any, *tags: str, **more: Any) -> Migrate:
    holder = FakeHost("web-1", lambda _call: Result(0, image(*tags), b"", 0))
    return Migrate(holder, "shop@sha256:1", None, database, LIMITS, **more)


def test_what_is_pending_is_applied() -> None:
    database, said = Database(), []
    one = step(database, "0000_a", "0001_b")
    assert (one.name, one.host) == ("migrate", "")
    assert one.do(lambda *words: said.append(words)) == "0000_a, 0001_b"
    (script,) = database.applied
    assert script.index("select '0000_a'") < script.index("select '0001_b'")
    assert "set lock_timeout = 5000;\nset statement_timeout = 600000;" in script
    assert said == [("applying 0000_a, 0001_b", False)]
    # And nothing the second time.
    assert one.do(lambda *words: said.append(words)) == "nothing pending"
    assert len(database.applied) == 1
    assert len(said) == 1


def test_success_that_is_none_is_found_out() -> None:
    with pytest.raises(NeedsPerson, match="still not applied: 0000_a"):
        step(Database(lies=True), "0000_a").do(lambda *_: None)


def test_a_file_that_fails() -> None:
    with pytest.raises(MigrationFailed, match=r"0000_a\.sql failed and was rolled back"):
        step(Database(fails=True), "0000_a").do(lambda *_: None)


def test_what_does_not_fit_is_refused_before_anything_is_applied() -> None:
    database = Database(there=[("of something else", 9)])
    with pytest.raises(Refused, match="do not fit together"):
        step(database, "0000_a").do(lambda *_: None)
    assert database.applied == []


def test_undoing_is_nothing() -> None:
    database = Database()
    assert step(database, "0000_a").undo(lambda *_: None) == ""
    assert database.applied == []


def test_the_image_is_asked_on_the_host_that_has_it() -> None:
    one = step(Database(), "0000_a")
    one.do(lambda *_: None)
    (call,) = one.holder.calls  # type: ignore[attr-defined]
    assert call.argv[-2:] == ("shop@sha256:1", "")

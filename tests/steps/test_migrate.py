"""The step that migrates: what it asks, in which order, and what it makes of the answers."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.database.migrations.failure import Aftermath, MigrationFailed
from deploy.database.migrations.folder import Folder, read_folder
from deploy.database.migrations.script import Limits
from deploy.errors import CommandFailed, NeedsPerson, Refused
from deploy.events import Stream
from deploy.remote.fake import FakeHost
from deploy.remote.host import Result
from deploy.run import Run
from deploy.steps.migrate import Migrate


def folder(*tags: str) -> Folder:
    """An image's folder that has these migrations."""
    entries = [{"tag": tag, "when": when} for when, tag in enumerate(tags, start=1)]
    files = {"meta/_journal.json": json.dumps({"entries": entries}).encode()}
    return read_folder(files | {f"{tag}.sql": f"select '{tag}'".encode() for tag in tags})


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

    def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
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
    names = more.pop("names", tags)
    return Migrate(folder(*tags), names, database, LIMITS, **more)


def test_what_is_pending_is_applied() -> None:
    database, said = Database(), []
    one = step(database, "0000_a", "0001_b")
    assert (one.name, one.host, one.touches, one.reverts) == ("migrate", "", True, True)
    assert one.do(lambda *words: said.append(words)) == "0000_a, 0001_b"
    (script,) = database.applied
    assert script.index("select '0000_a'") < script.index("select '0001_b'")
    assert "set lock_timeout = 5000;\nset statement_timeout = 600000;" in script
    assert said == [("applying 0000_a, 0001_b", False)]
    # And nothing the second time.
    assert one.do(lambda *words: said.append(words)) == "applied already"
    assert len(database.applied) == 1
    assert len(said) == 1


def test_what_is_held_back_is_left_for_later() -> None:
    database = Database()
    one = step(database, "0000_a", "0001_b", names=["0000_a"])
    assert one.do(lambda *_: None) == "0000_a"
    (script,) = database.applied
    assert "0001_b" not in script


def test_success_that_is_none_is_found_out() -> None:
    with pytest.raises(NeedsPerson, match="still not applied: 0000_a"):
        step(Database(lies=True), "0000_a").do(lambda *_: None)


def test_a_file_that_fails_and_leaves_the_schema_as_before() -> None:
    one = step(Database(fails=True), "0000_a")
    with pytest.raises(MigrationFailed, match=r"0000_a\.sql failed and was rolled back"):
        one.do(lambda *_: None)
    assert one.undo(lambda *_: None) == ""


def test_a_file_that_leaves_the_schema_half_way() -> None:
    one = step(Database(), "0000_a", way_back=lambda: "inv restore.production shop-1")
    half = Aftermath(file="0001_b.sql", rolled_back=False, applied=("0000_a",))
    one._failed.append(MigrationFailed("db-1", "0001_b.sql failed", now=half))
    with pytest.raises(NeedsPerson, match="not as it was before") as caught:
        one.undo(lambda *_: None)
    assert "Applied: 0000_a. Failed: 0001_b.sql." in caught.value.state
    assert caught.value.mend == "inv restore.production shop-1"


def test_what_does_not_fit_is_refused_before_anything_is_applied() -> None:
    database = Database(there=[("of something else", 9)])
    with pytest.raises(Refused, match="do not fit together"):
        step(database, "0000_a").do(lambda *_: None)
    assert database.applied == []


def test_a_database_that_was_to_be_new_and_is_not_is_left_alone() -> None:
    """It did not run when this was ordered, so nobody has judged what is pending in it."""
    database = Database()
    step(database, "0000_a").do(lambda *_: None)
    with pytest.raises(Refused, match="is not new"):
        step(database, "0000_a", "0001_b", fresh=True).do(lambda *_: None)
    assert len(database.applied) == 1
    assert step(Database(), "0000_a", fresh=True).do(lambda *_: None) == "0000_a"


def test_undoing_is_nothing() -> None:
    database = Database()
    one = step(database, "0000_a")
    assert one.undo(lambda *_: None) == ""
    assert database.applied == []
    one.do(lambda *_: None)
    assert one.undo(lambda *_: None) == "left as it is: the version before can live with it"
    assert len(database.applied) == 1


def test_a_host_that_fails_afterwards_goes_back_without_the_schema() -> None:
    """The version that it goes back to can live with what was judged."""

    def unhealthy(_say: Any) -> str:
        raise CommandFailed("web-1", "web is unhealthy", exit_code=1)

    database, taken = Database(), []
    stage = SimpleNamespace(
        name="stage",
        host="web-1",
        touches=True,
        reverts=True,
        do=unhealthy,
        undo=lambda _say: taken.append("web-1") or "",
    )
    failure = Run(Stream(), threading.Event()).walk([[step(database, "0000_a")], [stage]])
    assert failure is not None
    assert (failure.step, failure.stuck, taken) == (stage, [], ["web-1"])
    assert (len(database.applied), len(database.there)) == (1, 1)

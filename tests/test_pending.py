"""Whether there is a database to look at, and what a rollback finds to take back in it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import pending
from deploy.database.migrations.folder import Folder, Format, Migration
from deploy.database.migrations.recorded import Recorded, Row
from deploy.errors import Refused, Unreachable, UsageError
from deploy.facts import Container, HostFacts
from deploy.pending import database_of, not_past_a_contract, to_take_back
from deploy.release import Release
from deploy.remote.fake import FakeHost
from deploy.remote.host import Result
from tests.backup.test_manifest import with_head


def situation(state: str = "", release: str = "", **database: Any) -> Any:
    """A project whose database is the service `database` on db-1, in that state ("" for none)."""
    box = Container("0123456789abcdef", "database", state, "", 0, "", "postgres:17", "h", "")
    facts = HostFacts(release=release, containers=(box,) if state else ())
    section = {"service": "database", "host": "db-1", "url": None} | database
    return SimpleNamespace(
        fence=0,
        environment=SimpleNamespace(
            name="production", app="shop", path="/srv/shop", database=SimpleNamespace(**section)
        ),
        facts={"db-1": facts},
        hosts={"db-1": FakeHost("db-1", lambda _call: Result(0, b"", b"", 0))},
    )


def test_one_that_runs_is_looked_at() -> None:
    for release in ("", "v1-0a1b2c3d"):
        found = database_of(situation("running", release))
        assert found is not None
        assert found.settings["service"] == "database"


def test_before_its_first_deploy_there_is_none() -> None:
    assert database_of(situation()) is None


@pytest.mark.parametrize(
    ("state", "release", "typed"),
    [
        ("exited", "v1-0a1b2c3d", "On db-1, in /srv/shop: docker start 0123456789ab"),
        ("created", "", "On db-1, in /srv/shop: docker start 0123456789ab"),
        ("", "v1-0a1b2c3d", "On db-1, in /srv/shop: docker compose up -d database"),
    ],
)
def test_one_that_was_there_and_does_not_run_is_refused(
    state: str, release: str, typed: str
) -> None:
    with pytest.raises(Refused, match="db-1: database does not run") as caught:
        database_of(situation(state, release))
    assert caught.value.mend == typed


def test_an_environment_without_one() -> None:
    one = situation()
    one.environment.database = None
    assert database_of(one) is None


def test_an_environment_that_pushes_looks_for_no_migrations() -> None:
    one = situation(migrations="drizzle", apply=SimpleNamespace(by="push"))
    assert pending.folder_of(one, {"web": "shop@sha256:0"}) is None
    assert one.hosts["db-1"].calls == []


def test_the_first_image_has_the_migrations_on_the_first_host_that_runs_it() -> None:
    one = situation()
    one.placements = {
        host: SimpleNamespace(rolled=[SimpleNamespace(name=name) for name in services])
        for host, services in (("db-1", ()), ("job-1", ("job",)), ("web-1", ("web", "job")))
    }
    assert pending.holder_of(one, {"web": "w", "job": "j"}) == ("web", "web-1")
    assert pending.holder_of(one, {"job": "j", "web": "w"}) == ("job", "job-1")


def migration(number: int) -> Migration:
    name = f"{number:04}_m"
    return Migration(name, number, f"hash-{number}", f"{name}.sql", "select 1;")


def release(tag: str, created: str) -> Release:
    return Release(f"{tag}-0a1b2c3d", tag, {"web": tag}, created)


V1, V2, V3 = (release(f"v{n}", f"2026-11-0{n}T00:00:00Z") for n in (1, 2, 3))


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What each release's image brings, by tag; what is applied; and the images asked for."""
    one = SimpleNamespace(brings={"v1": 1, "v2": 2, "v3": 3}, applied=3, asked=[])

    def folder_of(_situation: Any, images: dict[str, str]) -> Folder | None:
        one.asked.append(images["web"])
        count = one.brings.get(images["web"])
        if count is None:
            return None
        return Folder(Format.V0, tuple(migration(n) for n in range(1, count + 1)))

    def recorded(_server: Any) -> Recorded:
        rows = (Row(f"hash-{n}", n, None, n) for n in range(1, one.applied + 1))
        return Recorded(Format.V0, tuple(rows))

    monkeypatch.setattr(pending, "folder_of", folder_of)
    monkeypatch.setattr(pending, "recorded", recorded)
    monkeypatch.setattr(pending, "would_run", lambda _server, todo, **_how: todo[::-1])
    one.kept = ()
    shelf = SimpleNamespace(shelf=lambda: SimpleNamespace(kept=one.kept, whole=one.whole))
    one.whole = lambda manifest: manifest.name != "not-whole"
    monkeypatch.setattr(pending, "backups_of", lambda *_: shelf)
    return one


def names(found: pending.TakenBack) -> list[str]:
    return [one.name for one in found.migrations]


def test_what_came_since_is_taken_back(database: Any) -> None:
    found = to_take_back(situation("running"), V1, [V1, V2, V3])
    assert names(found) == ["0003_m", "0002_m"]
    assert database.asked == ["v1", "v3"], "the newest release has it all"


def test_each_way_back_comes_from_the_release_that_has_it(database: Any) -> None:
    database.brings["v3"] = 2  # deployed once more without the third
    database.brings["tried"] = 3
    tried = release("tried", "2026-11-02T12:00:00Z")
    found = to_take_back(situation("running"), V1, [V1, V2, V3, tried])
    assert sorted(names(found)) == ["0002_m", "0003_m"]
    assert database.asked == ["v1", "v3", "tried"]


def test_nothing_came_since(database: Any) -> None:
    database.applied = 1
    assert names(to_take_back(situation("running"), V1, [V1, V2])) == []
    assert database.asked == ["v1"]


def test_what_nobody_has_the_files_of_is_refused(database: Any) -> None:
    with pytest.raises(Refused, match=r"nobody has the files any more.*: row 3") as caught:
        to_take_back(situation("running"), V1, [V1, V2])
    assert caught.value.mend == LOOK


LOOK = "inv backup.production list    then inv restore.production BACKUP"
OF_V1 = (
    with_head("shop-1", 1, "hash-1"),
    with_head("shop-2", 2, "hash-1"),
    with_head("not-whole", 3, "hash-1"),
    with_head("shop-4", 4, "hash-1", "hash-2"),
)
"""The newest that has what v1 knows, and that is whole, is the second."""


def test_the_newest_backup_of_what_the_release_knows_is_named(database: Any) -> None:
    database.kept = OF_V1
    with pytest.raises(Refused, match="nobody has the files any more") as caught:
        to_take_back(situation("running"), V1, [V1, V2])
    assert caught.value.mend == "inv restore.production shop-2"


@pytest.mark.parametrize(("kept", "mend"), [(OF_V1, "inv restore.production shop-2"), ((), LOOK)])
def test_what_cannot_be_taken_back_names_it_too(
    database: Any, monkeypatch: pytest.MonkeyPatch, kept: tuple[Any, ...], mend: str
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise Refused("the database cannot be taken back without a loss")

    database.kept = kept
    monkeypatch.setattr(pending, "would_run", refuses)
    with pytest.raises(Refused, match="without a loss") as caught:
        to_take_back(situation("running"), V1, [V1, V2, V3])
    assert caught.value.mend == mend


@pytest.mark.parametrize(("kept", "mend"), [(OF_V1, "inv restore.production shop-2"), ((), LOOK)])
def test_past_a_contract_nobody_goes_without_the_database(
    database: Any, kept: tuple[Any, ...], mend: str
) -> None:
    database.kept = kept
    newest = replace(V3, contract={"0002_m": "hash-2", "0009_m": "hash-9"})
    one = situation("running", newest.id)
    with pytest.raises(Refused, match=r"v1 cannot live .*: 0002_m \(phase=contract") as caught:
        not_past_a_contract(one, {newest.id: newest}, V1)
    assert caught.value.mend == (
        f"Deploy a version that can, or put the database back first: {mend}"
    )
    knows = replace(V1, contract={"0002_m": "hash-2"})
    not_past_a_contract(one, {newest.id: newest}, knows)


def test_a_host_that_does_not_answer_hides_no_refusal(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unreachable("db-1", "no route to it")

    monkeypatch.setattr(pending, "backups_of", away)
    with pytest.raises(Refused, match="nobody has the files any more") as caught:
        to_take_back(situation("running"), V1, [V1, V2])
    assert caught.value.mend == LOOK


def test_an_environment_without_migrations_has_none_to_take_back(database: Any) -> None:
    database.brings.clear()
    with pytest.raises(UsageError, match="production names no migrations"):
        to_take_back(situation("running"), V1, [V1])

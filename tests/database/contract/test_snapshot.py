"""Drizzle's snapshots in both formats, and the dummies made from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.database.contract.dummies import dummies
from deploy.database.contract.snapshot import Field, Table, newest, read_snapshot
from deploy.database.migrations.folder import read_folder
from deploy.errors import Refused
from tests.database.migrations import shop_folder, v0

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_both_formats_say_the_same(version: str) -> None:
    found = read_snapshot((SNAPSHOTS / f"{version}.json").read_bytes())
    tables = {one.subject: one for one in found.tables if not one.view}
    assert set(tables) == {"people", "billing.In voices"}
    fields = {one.name: one for one in tables["people"].fields}
    assert len(fields) == 29
    assert fields["id"] == Field("id", "serial", not_null=True, optional=True)
    assert fields["name"] == Field("name", "varchar(3)", not_null=True, optional=False)
    values = ("sad", "ok", "it's fine")
    assert fields["mood"] == Field("mood", "mood", True, False, values=values)
    assert fields["moods"] == Field("moods", "mood[]", True, False, values=values)
    assert fields["tags"] == Field("tags", "text[]", not_null=True, optional=True)
    assert fields["twice"].given is False
    assert fields["runtime"].optional is False
    assert set(tables["people"].keys) == {("id",), ("code",)}
    invoices = tables["billing.In voices"]
    by_name = {one.name: one for one in invoices.fields}
    assert by_name["a"] == Field("a", "integer", True, True, always=False)
    assert by_name["b"].optional
    assert by_name["plan"].values == ("free", "pro")
    assert set(invoices.keys) == {("a", "b"), ("person", "plan")}
    assert {(one.schema, one.name) for one in found.enums} == {
        ("public", "mood"),
        ("billing", "Plan"),
    }
    views = {one.name for one in found.tables if one.view}
    assert views - {"existing_view"} == {"happy", "happym"}


def test_every_column_has_a_dummy() -> None:
    found = read_snapshot((SNAPSHOTS / "v0.json").read_bytes())
    for table in found.tables:
        for field in table.fields:
            assert dummies(field), field


def test_older_formats() -> None:
    """Versions 5 and 6: tables by bare names, enums as mappings, index columns as names."""
    old = {
        "version": "5",
        "tables": {
            "users": {
                "name": "users",
                "schema": "",
                "columns": {
                    "id": {"name": "id", "type": "serial", "primaryKey": True, "notNull": True},
                    "mood": {"name": "mood", "type": "mood", "notNull": False},
                },
                "indexes": {"i": {"columns": ["mood"], "isUnique": True}},
            }
        },
        "enums": {"mood": {"name": "mood", "values": {"sad": "sad", "ok": "ok"}}},
    }
    found = read_snapshot(json.dumps(old).encode())
    assert found.tables == (
        Table(
            "public",
            "users",
            (
                Field("id", "serial", True, True),
                Field("mood", "mood", False, False, values=("sad", "ok")),
            ),
            (("id",), ("mood",)),
        ),
    )


def test_a_partial_or_an_expression_index_is_nobodys_key() -> None:
    def index(**more: object) -> dict[str, object]:
        part = {"expression": "a", "isExpression": more.pop("expression", False)}
        return {"columns": [part], "isUnique": True, **more}

    def keys(one: dict[str, object]) -> tuple[tuple[str, ...], ...]:
        table = {"name": "t", "schema": "", "columns": {}, "indexes": {"i": one}}
        raw = json.dumps({"version": "7", "tables": {"public.t": table}}).encode()
        return read_snapshot(raw).tables[0].keys

    assert keys(index()) == (("a",),)
    assert keys(index(where="a > 1")) == ()
    assert keys(index(expression=True)) == ()
    assert keys(index(isUnique=False)) == ()


BAD = [b"", b"{", b"[]", b"{}", b'{"tables": 1}', b'{"ddl": [1]}', b"\xff", b'{"tables":{"a":{}}}']


@pytest.mark.parametrize("raw", BAD)
def test_what_is_no_snapshot(raw: bytes) -> None:
    with pytest.raises(Refused, match="snapshot in the running image cannot be read"):
        read_snapshot(raw)


def test_the_newest_of_a_folder() -> None:
    files = shop_folder()
    assert newest(read_folder(files)) == files["meta/0004_snapshot.json"]
    # A file written by hand may have none: the one before it holds.
    del files["meta/0004_snapshot.json"]
    assert newest(read_folder(files)) == files["meta/0003_snapshot.json"]
    assert newest(read_folder(v0(a="select 1"))) is None
    assert newest(read_folder(v0())) is None


def test_the_newest_of_a_folder_of_drizzle_kit_1() -> None:
    def snapshot(id_: str, *before: str) -> bytes:
        return json.dumps({"id": id_, "prevIds": before, "ddl": []}).encode()

    files = {
        "20200101000000_a/snapshot.json": snapshot("a", "0"),
        "20220101000000_b/snapshot.json": snapshot("b", "a"),
        "20210101000000_c/snapshot.json": snapshot("c", "b"),
        "20230101000000_d/migration.sql": b"",
    }
    empty = {path.replace("snapshot.json", "migration.sql"): b"" for path in files}
    assert newest(read_folder(empty | files)) == files["20210101000000_c/snapshot.json"]
    files["20210101000000_c/snapshot.json"] = b"["
    with pytest.raises(Refused, match="cannot be read"):
        newest(read_folder(empty | files))


DUMMIES = {
    "varchar(3)": ("a", "aaa"),
    "char(2)": ("a", "aa"),
    "numeric(5, 4)": ("1", "9.9999"),
    "numeric(3,3)": ("0", "0.999"),
    "numeric(4)": ("1", "9999"),
    "bit(4)": ("0000", "1111"),
    "timestamp (3) with time zone": ("2020-01-02 03:04:05+00", "9999-12-31 23:59:59.999999+00"),
    "integer[][]": ('{"1"}', '{"2147483647"}'),
    "vector(2)": ("[1,1]",),
    "geometry(point)": (),
    "something": (),
}


@pytest.mark.parametrize(("type_", "expected"), DUMMIES.items())
def test_dummies(type_: str, expected: tuple[str, ...]) -> None:
    assert dummies(Field("c", type_, True, False)) == expected

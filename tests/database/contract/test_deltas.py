"""Snapshots of drizzle-kit 1.0.0-rc.5 put together; the deltas are as it has written them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.database.contract.deltas import reconstruct
from deploy.database.contract.snapshot import Enum, snapshot_of
from deploy.database.migrations.folder import Folder, read_folder
from deploy.errors import Refused

NOWHERE = "00000000-0000-0000-0000-000000000000"
Row = dict[str, Any]


def column(table: str, name: str, type_: str = "text", schema: str | None = None) -> Row:
    return {
        "schema": "public",
        "table": table,
        "name": name,
        "type": type_,
        "typeSchema": schema,
        "notNull": False,
        "dimensions": 0,
        "default": None,
        "generated": None,
        "identity": None,
        "entityType": "columns",
    }


def table(name: str) -> Row:
    return {"schema": "public", "name": name, "isRlsEnabled": False, "entityType": "tables"}


BASE = [
    table("users"),
    {"schema": "public", "name": "mood", "values": ["x", "y"], "entityType": "enums"},
    column("users", "mail"),
    column("users", "mood", "mood", "public"),
    {
        "schema": "public",
        "table": "users",
        "name": "users_mail_key",
        "columns": ["mail"],
        "entityType": "uniques",
    },
    {
        "schema": "public",
        "table": "users",
        "name": "both",
        "columns": [
            {"value": "mail", "isExpression": False},
            {"value": "mood", "isExpression": False},
        ],
        "isUnique": True,
        "where": None,
        "entityType": "indexes",
    },
]


def base(id_: str = "0", *rows: Row) -> Row:
    return {"type": "base", "id": id_, "prevIds": [NOWHERE], "ddl": list(rows or BASE)}


def diff(id_: str, *deltas: Row, after: tuple[str, ...] = ("0",)) -> Row:
    return {"type": "diff", "id": id_, "prevIds": list(after), "deltas": list(deltas)}


def create(row: Row) -> Row:
    return {"op": "create", "row": row}


def about(op: str, kind: str, *names: str, **set_: object) -> Row:
    key = f"{kind}\0{json.dumps(['public', *names], separators=(',', ':'))}"
    return {"op": op, "key": key} | ({"set": set_} if set_ else {})


def folder(*snapshots: Row) -> Folder:
    files = {}
    for at, one in enumerate(snapshots):
        files[f"202601020304{at:02}_m/migration.sql"] = b"select 1;"
        files[f"202601020304{at:02}_m/snapshot.json"] = json.dumps(one).encode()
    return read_folder(files)


def test_rows_come_go_and_change() -> None:
    found = snapshot_of(
        folder(
            base(),
            diff("1", create(table("orders")), create(column("orders", "note"))),
            diff(
                "2",
                about("drop", "columns", "users", "mail"),
                about("drop", "uniques", "users", "users_mail_key"),
                about("drop", "indexes", "users", "both"),
                about("alter", "enums", "mood", values=["x", "y", "z"]),
                about("alter", "columns", "orders", "note", notNull=True),
                after=("1",),
            ),
        )
    )
    assert found is not None
    assert found.enums == (Enum("public", "mood", ("x", "y", "z")),)
    users, orders = found.tables
    assert [(one.name, one.values) for one in users.fields] == [("mood", ("x", "y", "z"))]
    assert users.keys == ()
    assert [(one.name, one.not_null) for one in orders.fields] == [("note", True)]


def test_what_is_renamed_is_followed() -> None:
    found = snapshot_of(
        folder(
            base(),
            diff("1", about("rename", "columns", "users", "mail", name="post")),
            diff(
                "2",
                about("rename", "enums", "mood", name="feel"),
                about("rename", "tables", "users", name="people"),
                after=("1",),
            ),
        )
    )
    assert found is not None
    (people,) = found.tables
    assert people.name == "people"
    assert [(one.name, one.type, one.values) for one in people.fields] == [
        ("post", "text", ()),
        ("mood", "feel", ("x", "y")),
    ]
    assert people.keys == (("post",), ("post", "mood"))


def test_branches_that_were_merged() -> None:
    """The first parent's chain, then what the other parent alone has brought."""
    rows = reconstruct(
        [
            base(),
            diff("1", create(column("users", "left"))),
            diff("2", create(column("users", "right"))),
            diff("3", create(column("users", "both")), after=("1", "2")),
        ],
        "3",
    )
    names = [one["name"] for one in rows if one["entityType"] == "columns"]
    assert names == ["mail", "mood", "left", "right", "both"]


WRONG = {
    "a parent is missing": (base(), diff("2", after=("1",))),
    "a row is not there": (base(), diff("1", about("alter", "columns", "users", "x", type="int"))),
    "another verb": (base(), diff("1", about("split", "columns", "users", "mail", name="x"))),
    "another form": (base(), {"type": "diff", "id": "1", "prevIds": ["0"]}),
}


@pytest.mark.parametrize("snapshots", WRONG.values(), ids=WRONG)
def test_what_cannot_be_put_together_is_refused(snapshots: tuple[Row, ...]) -> None:
    with pytest.raises(Refused, match="the snapshot in the running image cannot be read"):
        snapshot_of(folder(*snapshots))


def test_a_base_needs_no_other() -> None:
    found = snapshot_of(folder(base()))
    assert found is not None
    assert [one.name for one in found.tables] == ["users"]
    assert snapshot_of(read_folder({"20260102030405_m/migration.sql": b"select 1;"})) is None

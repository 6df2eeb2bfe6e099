"""Drizzle's snapshot: the schema that an image's code was written for. Pure.

drizzle-kit 0.x keeps `meta/NNNN_snapshot.json` (versions 5 to 7: objects by name), drizzle-kit 1
`TIMESTAMP_name/snapshot.json` (version 8 and later: a list `ddl` of entities, or the `deltas` to
them). Only what its queries need is read: tables with their columns, enums, views, and what ON
CONFLICT can name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.database.contract.deltas import reconstruct
from deploy.database.migrations.folder import Format
from deploy.errors import Refused

if TYPE_CHECKING:
    from deploy.database.migrations.folder import Folder


@dataclass(frozen=True)
class Field:
    """A column. `type` is as Drizzle writes it, with its length and brackets: "varchar(3)[]".

    `values` are those of its enum, else empty. `given`: a query may write it, which none does to
    a generated column; `always`: it is an identity that takes no value. `optional`: an insert may
    leave it to a default.
    """

    name: str
    type: str
    not_null: bool
    optional: bool
    given: bool = True
    always: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table or a view; `fields` may be empty for a view. `keys` are sets of unique columns."""

    schema: str
    name: str
    fields: tuple[Field, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    view: bool = False

    @property
    def subject(self) -> str:
        """Its name, as `Finding.subject` has it."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Enum:
    """An enum and its values."""

    schema: str
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """All that an image's code asks of its database."""

    tables: tuple[Table, ...]
    enums: tuple[Enum, ...]


def snapshot_of(folder: Folder) -> Snapshot | None:
    """Return what the code of a folder's image asks of its database; None where nothing says so.

    Raises:
        Refused: its snapshots are none that this Headway reads.
    """
    raw = newest(folder)
    if raw is None:
        return None
    told = _told(raw)
    if told.get("type") != "diff":
        return read_snapshot(raw)
    every = [_told(one.snapshot) for one in folder.migrations if one.snapshot is not None]
    try:
        return _entities(reconstruct(every, told["id"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(error) from None


def newest(folder: Folder) -> bytes | None:
    """Return the newest snapshot in a migrations folder, if any.

    In v0 that of the last migration that has one (a file written by hand has none); in v1 the last
    by name among those that no other one follows.
    """
    there = [one.snapshot for one in folder.migrations if one.snapshot is not None]
    if folder.format is Format.V0:
        return there[-1] if there else None
    read = [(raw, _told(raw)) for raw in there]
    followed = {one for _, told in read for one in told.get("prevIds", ())}
    ends = [raw for raw, told in read if told.get("id") not in followed]
    return ends[-1] if ends else None


def _told(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise _unreadable(error) from None
    if not isinstance(found, dict):
        raise _unreadable(TypeError("no object"))
    return found


def read_snapshot(raw: bytes) -> Snapshot:
    """Return what a snapshot says.

    Raises:
        Refused: it is not one that this Headway reads.
    """
    try:
        found = json.loads(raw)
        if "ddl" in found:
            return _entities(found["ddl"])
        return _objects(found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> Refused:
    return Refused(f"the snapshot in the running image cannot be read: {error!r}")


_SERIAL = re.compile(r"(small|big)?serial")


def _field(column: Mapping[str, Any], type_: str, enums: Mapping[tuple[str, str], Enum]) -> Field:
    identity = column.get("identity") or {}
    schema = column.get("typeSchema")
    enum = enums.get((schema, type_.partition("[")[0].strip('"'))) if schema else None
    has_default = column.get("default") is not None or bool(_SERIAL.fullmatch(type_))
    return Field(
        name=str(column["name"]),
        type=type_,
        not_null=bool(column.get("notNull")),
        optional=has_default or bool(identity),
        given=not column.get("generated"),
        always=identity.get("type") == "always",
        values=enum.values if enum else (),
    )


def _objects(found: Mapping[str, Any]) -> Snapshot:
    enums = [
        Enum(one.get("schema") or "public", one["name"], tuple(one["values"]))
        for one in (found.get("enums") or {}).values()
    ]
    known = {(one.schema, one.name): one for one in enums}
    if str(found.get("version")) < "7":
        # Versions 5 and 6 do not say in which schema a column's type is.
        for one in found["tables"].values():
            for column in one["columns"].values():
                if ("public", column["type"].partition("[")[0]) in known:
                    column.setdefault("typeSchema", "public")
    tables = [_table(one, known) for one in found["tables"].values()]
    views = [
        Table(one.get("schema") or "public", one["name"], _fields(one, known), view=True)
        for one in (found.get("views") or {}).values()
    ]
    return Snapshot((*tables, *views), tuple(enums))


def _fields(table: Mapping[str, Any], enums: Mapping[tuple[str, str], Enum]) -> tuple[Field, ...]:
    columns = (table.get("columns") or {}).values()
    return tuple(_field(column, str(column["type"]), enums) for column in columns)


def _table(table: Mapping[str, Any], enums: Mapping[tuple[str, str], Enum]) -> Table:
    keys: list[tuple[str, ...]] = []
    keys += [(str(c["name"]),) for c in table["columns"].values() if c.get("primaryKey")]
    for kind in ("compositePrimaryKeys", "uniqueConstraints"):
        keys += [tuple(one["columns"]) for one in (table.get(kind) or {}).values()]
    keys += list(_unique_indexes((table.get("indexes") or {}).values(), "expression"))
    return Table(table.get("schema") or "public", table["name"], _fields(table, enums), tuple(keys))


def _unique_indexes(indexes: Any, name: str) -> Iterator[tuple[str, ...]]:
    """Yield the columns of whole unique indexes; in versions 5 and 6 they are names alone."""
    for one in indexes:
        parts = [part if isinstance(part, dict) else {name: part} for part in one["columns"]]
        plain = not any(part.get("isExpression") for part in parts)
        if one.get("isUnique") and not one.get("where") and plain:
            yield tuple(str(part[name]) for part in parts)


def _entities(ddl: list[dict[str, Any]]) -> Snapshot:
    def of(kind: str) -> list[dict[str, Any]]:
        return [one for one in ddl if one["entityType"] == kind]

    enums = [Enum(one["schema"], one["name"], tuple(one["values"])) for one in of("enums")]
    known = {(one.schema, one.name): one for one in enums}
    fields: dict[tuple[str, str], list[Field]] = {}
    for column in of("columns"):
        type_ = str(column["type"]) + "[]" * int(column.get("dimensions") or 0)
        at = (column["schema"], column["table"])
        fields.setdefault(at, []).append(_field(column, type_, known))
    keys: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for one in [*of("pks"), *of("uniques")]:
        keys.setdefault((one["schema"], one["table"]), []).append(tuple(one["columns"]))
    for one in of("indexes"):
        at = (one["schema"], one["table"])
        keys.setdefault(at, []).extend(_unique_indexes([one], "value"))
    tables = []
    for one in of("tables"):
        at = (one["schema"], one["name"])
        tables.append(Table(*at, tuple(fields.get(at, ())), tuple(keys.get(at, ()))))
    views = [Table(one["schema"], one["name"], (), view=True) for one in of("views")]
    return Snapshot((*tables, *views), tuple(enums))

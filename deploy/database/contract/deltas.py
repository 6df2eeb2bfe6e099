"""Snapshots of drizzle-kit 1 that only say what has changed, put together. Pure.

From 1.0.0-rc.5 on (version 9) a snapshot is of the type `base`, with every entity, or `diff`, with
`deltas` against the one before it: a row created, or one that `key` names dropped, altered or
renamed. A key is the entity's type, a zero byte, and a JSON list of schema, table and name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
_IDENTITY = ("schema", "table", "name")
_NOWHERE = "00000000-0000-0000-0000-000000000000"


def reconstruct(snapshots: Sequence[Mapping[str, Any]], wanted: str) -> list[Row]:
    """Return the entities of a snapshot, as a `base` has them in `ddl`.

    Args:
        snapshots: all of the folder, in its order.
        wanted: the id of the one that is meant.

    Raises:
        ValueError: one that it builds on is missing, or a delta is about a row that is not there.
        KeyError, TypeError: one has another form.
    """
    by_id = {str(one["id"]): one for one in snapshots}
    chain = []
    at = _of(by_id, wanted)
    while at["type"] == "diff":
        chain.append(at)
        at = _of(by_id, at["prevIds"][0])
    rows: list[Row] = [dict(one) for one in at["ddl"]]
    for one in reversed(chain):
        first, *others = one["prevIds"]
        merged = _history(by_id, others) - _history(by_id, [first])
        for id_, other in by_id.items():
            if id_ in merged and other["type"] == "diff":
                _apply(rows, other["deltas"])
        _apply(rows, one["deltas"])
    return rows


def _of(by_id: Mapping[str, Mapping[str, Any]], id_: str) -> Mapping[str, Any]:
    if id_ not in by_id:
        raise ValueError(f"there is no snapshot {id_}")
    return by_id[id_]


def _history(by_id: Mapping[str, Mapping[str, Any]], ids: Iterable[str]) -> set[str]:
    found: set[str] = set()
    left = list(ids)
    while left:
        one = left.pop()
        if one != _NOWHERE and one not in found:
            found.add(one)
            left += _of(by_id, one)["prevIds"]
    return found


def _apply(rows: list[Row], deltas: Iterable[Mapping[str, Any]]) -> None:
    for delta in deltas:
        if delta["op"] == "create":
            new = dict(delta["row"])
            # Both parents of a merge may have made it.
            if not any(_key(one) == _key(new) for one in rows):
                rows.append(new)
            continue
        row = next((one for one in rows if _key(one) == delta["key"]), None)
        if delta["op"] == "drop":
            if row is not None:
                rows.remove(row)
        elif row is None:
            raise ValueError(f"a delta is about {delta['key']!r}, which is not there")
        elif delta["op"] in {"alter", "rename"}:
            before = dict(row)
            row.update(delta["set"])
            _follow(rows, before, row)
        else:
            raise ValueError(f"a delta is to {delta['op']}")


def _key(row: Mapping[str, Any]) -> str:
    identity = [row[part] for part in _IDENTITY if part in row]
    return f"{row['entityType']}\0{json.dumps(identity, separators=(',', ':'), ensure_ascii=False)}"


def _follow(rows: Iterable[Row], before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Let what names an entity name it as it is called now."""
    old, new = before.get("name"), after.get("name")
    kind, schema = before["entityType"], before.get("schema")
    if old == new and schema == after.get("schema"):
        return
    for row in rows:
        if kind == "schemas":
            for part in ("schema", "typeSchema", "schemaTo"):
                if row.get(part) == old:
                    row[part] = new
        elif kind == "tables" and (row.get("schema"), row.get("table")) == (schema, old):
            row["table"], row["schema"] = new, after["schema"]
        elif kind == "enums" and (row.get("typeSchema"), row.get("type")) == (schema, old):
            row["type"], row["typeSchema"] = new, after["schema"]
        elif kind == "columns" and (row.get("schema"), row.get("table")) == (
            schema,
            before["table"],
        ):
            row.update(_renamed(row, old, new))


def _renamed(row: Row, old: object, new: object) -> Row:
    """The list of columns of a key or an index."""
    columns = row.get("columns")
    if row["entityType"] not in {"pks", "uniques", "indexes"} or not isinstance(columns, list):
        return {}
    return {
        "columns": [
            {**one, "value": new}
            if isinstance(one, dict) and one.get("value") == old and not one.get("isExpression")
            else (new if one == old else one)
            for one in columns
        ]
    }

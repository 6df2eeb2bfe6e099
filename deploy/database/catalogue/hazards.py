"""What a file did to rows and under which locks, as findings: measured, not read in its text. Pure.

What is new in the batch is left out: nobody reads it yet, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.database.catalogue.frame import Frame

if TYPE_CHECKING:
    from deploy.database.catalogue.catalogue import Catalogue, Constraint, Relation
    from deploy.database.lint.rules import Finding
    from deploy.database.measure.watch import Measured, Touched

_WEAK = {"", "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock"}

_NEARLY = 0.9
"""ANALYZE estimates how many rows a table has from a sample of them."""


def hazards(
    measured: Measured, before: Catalogue, after: Catalogue, *, base: Catalogue | None = None
) -> list[Finding]:
    """Return the findings of the levels DATA and LOCK, and of changed rows, of one file; sorted.

    `update-all` means that (nearly) as many rows were changed as there were, whether or not there
    was a WHERE. In a rehearsal without rows nothing can be said of them: there the text decides.

    Args:
        measured: what the file did in the rehearsal.
        before: the schema before it, in the same database.
        after: the schema after it.
        base: the schema before the batch; None: `before`.
    """
    frame = Frame(before, after, base or before, measured.file)
    found: set[Finding] = set()
    locked = []
    for one in measured.tables:
        if one.oid not in frame.base.relations:
            continue
        found.update(_rows(frame, one), _rewritten(frame, one))
        new = after.relations.get(one.oid)
        if new and one.lock not in _WEAK:
            found.update(_scans(frame, before.relations[one.oid], new, one))
        if new and one.lock == "AccessExclusiveLock":
            locked.append(one.name)
    if measured.transaction and len(locked) > 1:
        detail = f"AccessExclusiveLock on {', '.join(locked)} to the transaction's end"
        found.add(frame.finding("many-locks", locked[0], detail))
    return sorted(found)


def _rows(frame: Frame, one: Touched) -> Iterator[Finding]:
    if one.deleted:
        yield frame.finding("delete", one.name, f"{one.deleted} of {one.rows} rows deleted")
    if one.updated:
        every = one.rows > 0 and one.updated >= _NEARLY * one.rows
        rule = "update-all" if every else "update"
        yield frame.finding(rule, one.name, f"{one.updated} of {one.rows} rows changed")
    if one.inserted:
        yield frame.finding("insert", one.name, f"{one.inserted} rows inserted")


def _rewritten(frame: Frame, one: Touched) -> Iterator[Finding]:
    old, new = frame.before.relations[one.oid], frame.after.relations.get(one.oid)
    if not one.rewritten or not new:
        return
    explained = _changed(old, new)
    if one.emptied or (not explained and (not one.bytes or one.inserted)):
        yield frame.finding("truncate", one.name, "written anew, without its rows")
    if explained:
        yield frame.finding("rewrite", one.name, f"all {one.rows} rows written anew")
    elif not one.emptied and one.bytes and not one.inserted:
        yield frame.finding("lock-table", one.name, "written anew, with no column changed")


def _changed(old: Relation, new: Relation) -> bool:
    """Whether a column is new or has another type: what a table is written anew for."""
    was = {c.number: (c.type_oid, c.modifier, c.generated, c.default) for c in old.columns}
    for now in new.columns:
        shape = (now.type_oid, now.modifier, now.generated, now.default)
        if now.number not in was or (
            was[now.number] != shape and (now.generated or was[now.number][:2] != shape[:2])
        ):
            return True
    return False


def _scans(frame: Frame, old: Relation, new: Relation, one: Touched) -> Iterator[Finding]:
    if not one.scans and not one.rewritten:
        return
    nulls = {c.number for c in old.columns if not c.not_null}
    stricter = [c.name for c in new.columns if c.not_null and c.number in nulls]
    if stricter and one.lock == "AccessExclusiveLock":
        yield frame.finding(
            "set-not-null-scan", f"{one.name}.{stricter[0]}", f"{one.rows} rows read"
        )
    made = [c for oid, c in frame.after.constraints.items() if _made(frame, oid, c, one.oid)]
    for constraint in made:
        if constraint.kind in {"c", "f"} and constraint.validated:
            detail = f"{constraint.name}: {constraint.definition}"
            yield frame.finding("constraint-scan", one.name, detail)
    owners = {c.name: c for c in made if c.kind in {"p", "u", "x"}}
    for oid, index in frame.after.indexes.items():
        if index.relation == one.oid and oid not in frame.before.indexes:
            rule = "unique-builds-index" if index.name in owners else "index-blocks-writes"
            yield frame.finding(rule, one.name, f"{index.name}: {index.definition}")


def _made(frame: Frame, oid: int, constraint: Constraint, table: int) -> bool:
    return constraint.relation == table and oid not in frame.before.constraints

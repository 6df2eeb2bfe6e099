"""What rows a migration refuses from now on, or again takes: constraints and unique indexes. Pure.

A primary key or a unique constraint is its index: so an index that was made CONCURRENTLY and is
then given to a constraint is met once, and one that only takes another's place is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.database.catalogue.catalogue import Constraint, Index
from deploy.database.catalogue.widening import loosens, references

if TYPE_CHECKING:
    from deploy.database.catalogue.frame import Frame
    from deploy.database.lint.rules import Finding

_RULE = {"c": "add-check", "f": "add-foreign-key", "x": "add-exclusion"}
# An expression with one of these can have a value where all its columns are null.
_NOT_STRICT = re.compile(r"\b(coalesce|case|concat\w*|is (not )?null|array|row|format)\b", re.I)


def restrictions(frame: Frame) -> Iterator[Finding]:
    """Yield what is new, or gone, on what the running version knows."""
    for oid, new in frame.after.constraints.items():
        old = frame.before.constraints.get(oid)
        if new.kind in _RULE and _enforced(new) and not (old and _enforced(old)):
            yield from _added(frame, new)
    for oid, index in frame.after.indexes.items():
        if oid not in frame.before.indexes and index.unique and not _exclusion(frame, index):
            yield from _unique(frame, index)
    yield from _dropped(frame)


def _enforced(one: Constraint) -> bool:
    return "NOT ENFORCED" not in one.definition


def _exclusion(frame: Frame, index: Index) -> bool:
    """PostgreSQL 18 has exclusion constraints (WITHOUT OVERLAPS) with unique indexes."""
    return any(
        one.kind == "x" and one.relation == index.relation and one.name == index.name
        for one in frame.after.constraints.values()
    )


def _subject(frame: Frame, one: Constraint | Index) -> str:
    if found := frame.after.relations.get(one.relation) or frame.before.relations.get(one.relation):
        return found.subject
    type_oid = one.type_oid if isinstance(one, Constraint) else 0
    of = frame.after.types.get(type_oid) or frame.before.types.get(type_oid)
    return of.subject if of else ""


def _added(frame: Frame, new: Constraint) -> Iterator[Finding]:
    if new.relation not in frame.base.relations and new.type_oid not in frame.base.types:
        return
    # 0 is the whole row.
    if new.columns and not any(n == 0 or frame.known(new.relation, n) for n in new.columns):
        return
    others = [
        one
        for one in frame.before.constraints.values()
        if one.kind == new.kind
        and (one.relation, one.type_oid) == (new.relation, new.type_oid)
        and _enforced(one)
    ]
    if any(_covers(old, new) for old in others):
        return
    yield frame.finding(_RULE[new.kind], _subject(frame, new), f"{new.name}: {new.definition}")


def _covers(old: Constraint, new: Constraint) -> bool:
    """Whether all that the old one took is taken by the new one."""
    if new.kind == "c":
        return loosens(old.definition, new.definition)
    if new.kind == "x":
        return old.definition == new.definition
    (was, gave_way), (now, gives_way) = references(old.definition), references(new.definition)
    # A delete that cascaded and is now refused is one that the running version does.
    return was == now and all(event in gives_way for event in gave_way)


def _as_strict(new: Constraint, old: Constraint) -> bool:
    """Whether the new one takes no row that the old one refused."""
    if new.kind == "f":
        return references(new.definition)[0] == references(old.definition)[0]
    return _covers(new, old)


def _unique(frame: Frame, new: Index) -> Iterator[Finding]:
    if new.relation not in frame.base.relations:
        return
    if any(_same_rows(old, new) for old in frame.before.indexes.values()):
        return
    detail = f"{new.name}: {new.definition}"
    if any(frame.known(new.relation, number) for number in new.columns) or not new.columns:
        yield frame.finding("add-unique", _subject(frame, new), detail)
    elif why := _clashes(frame, new):
        yield frame.finding("add-unique", _subject(frame, new), f"{detail}; {why}")


def _same_rows(old: Index, new: Index) -> bool:
    return old.unique and old.relation == new.relation and old.definition == new.definition


def _clashes(frame: Frame, new: Index) -> str:
    """Why two rows of a version that does not know any of the columns clash; "": they do not."""
    if "NULLS NOT DISTINCT" in new.definition:
        return "the second row without a value is refused"
    if new.expression:
        return "it may be the same for all nulls" if _NOT_STRICT.search(new.definition) else ""
    columns = [frame.column(new.relation, number) for number in new.columns]
    constant = [one.default is not None and "(" not in one.default for one in columns if one]
    return "every row gets the same default" if constant and all(constant) else ""


def _dropped(frame: Frame) -> Iterator[Finding]:
    for oid, old in frame.before.constraints.items():
        gone = oid not in frame.after.constraints and old.kind in _RULE
        if gone and _stays(frame, old.relation, old.type_oid, old.columns):
            same = any(
                one.kind == old.kind
                and (one.relation, one.type_oid) == (old.relation, old.type_oid)
                and _as_strict(one, old)
                for one in frame.after.constraints.values()
            )
            if not same:
                yield frame.finding(
                    "drop-constraint", _subject(frame, old), f"{old.name}: {old.definition}"
                )
    for oid, index in frame.before.indexes.items():
        gone = oid not in frame.after.indexes and index.unique
        if gone and _stays(frame, index.relation, 0, index.columns):
            kept = any(_same_rows(one, index) for one in frame.after.indexes.values())
            if not kept and not _exclusion(frame, index):
                yield frame.finding(
                    "drop-constraint", _subject(frame, index), f"{index.name}: {index.definition}"
                )


def _stays(frame: Frame, relation: int, type_oid: int, columns: tuple[int, ...]) -> bool:
    """Whether what it was about is still there; if not, that is the finding."""
    if type_oid:
        return type_oid in frame.base.types and type_oid in frame.after.types
    return (
        relation in frame.base.relations
        and relation in frame.after.relations
        and all(frame.column(relation, number) for number in columns)
    )

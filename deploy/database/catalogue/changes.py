"""What one migration did to the schema, as findings: the catalogue before and after it. Pure.

Whatever the text said, plainly or in a `DO` block, what is judged is what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.database.catalogue.frame import Frame
from deploy.database.catalogue.objects import objects
from deploy.database.catalogue.restrictions import restrictions
from deploy.database.catalogue.widening import widens

if TYPE_CHECKING:
    from deploy.database.catalogue.catalogue import Catalogue, Column, Relation
    from deploy.database.lint.rules import Finding

_DROPPED = {"v": "drop-view", "m": "drop-view", "S": "drop-sequence", "c": "drop-type"}


def diff(
    before: Catalogue, after: Catalogue, *, file: str, base: Catalogue | None = None
) -> list[Finding]:
    """Return what a file has done that a rule speaks of, sorted; nothing where nothing changed.

    Args:
        before: the schema before the file.
        after: the schema after it, in the same database.
        file: its path, for the findings. No line is known: it is 0.
        base: the schema before the first file of the batch, which is what the running version
            knows; None: `before`. What is not in it may be changed at will.
    """
    frame = Frame(before, after, base or before, file)
    found = {*_relations(frame), *objects(frame), *restrictions(frame)}
    return sorted(found)


def _relations(frame: Frame) -> Iterator[Finding]:
    for oid, old in frame.before.relations.items():
        if oid in frame.base.relations and oid not in frame.after.relations:
            yield from _gone(frame, old)
    found = {new.oid: list(_kept(frame, old, new)) for old, new in frame.kept()}
    for oid, findings in found.items():
        relation = frame.after.relations[oid]
        of_parent = {_about(one) for one in found.get(relation.parent, [])}
        # What is done to a partitioned table is done to each partition: it is said once.
        yield from (one for one in findings if not relation.parent or _about(one) not in of_parent)


def _about(one: Finding) -> tuple[str, str, str]:
    return one.rule, one.subject.rpartition(".")[2], one.detail


def _gone(frame: Frame, old: Relation) -> Iterator[Finding]:
    if old.owned:
        return  # It went with its column, or the column has another default: that is the finding.
    again = next(
        (
            one
            for one in frame.after.relations.values()
            if (one.schema, one.name, one.kind) == (old.schema, old.name, old.kind)
        ),
        None,
    )
    if old.definition is not None and again:
        if not _same_view(old, again):
            yield frame.finding("replace-view", old.subject, "dropped, and made anew")
        yield from frame.revoked(old.subject, old.grants, again.grants)
        return
    detail = f"{old.subject} is gone" + (", and another one has its name" if again else "")
    yield frame.finding(_DROPPED.get(old.kind, "drop-table"), old.subject, detail)


def _same_view(old: Relation, new: Relation) -> bool:
    was, now = ([(one.name, one.type) for one in view.columns] for view in (old, new))
    return old.definition == new.definition and was == now


def _kept(frame: Frame, old: Relation, new: Relation) -> Iterator[Finding]:
    if old.schema_oid != new.schema_oid:
        yield frame.finding("set-schema", old.subject, f"{old.subject} is now {new.subject}")
    elif old.name != new.name and not old.owned:
        rule = "rename-type" if old.kind == "c" else "rename-table"
        yield frame.finding(rule, old.subject, f"{old.name} is now {new.name}")
    if new.row_security and not old.row_security:
        yield frame.finding("row-security", old.subject, "row security is enabled")
    if new.forced and not old.forced:
        yield frame.finding("row-security", old.subject, "row security is forced on the owner")
    yield from frame.revoked(old.subject, old.grants, new.grants)
    if old.definition is not None:
        if not _same_view(old, new):
            yield frame.finding("replace-view", old.subject, "its query or its columns changed")
        return
    columns = {one.number: one for one in new.columns}
    for was in old.columns:
        if not frame.known(old.oid, was.number):
            continue
        if was.number in columns:
            yield from _column(frame, old, was, columns[was.number])
        else:
            yield frame.finding("drop-column", f"{old.subject}.{was.name}", "the column is gone")
    if new.is_table:
        yield from _new_columns(frame, old, new)


def _column(frame: Frame, table: Relation, was: Column, now: Column) -> Iterator[Finding]:
    name = f"{table.subject}.{was.name}"
    if was.name != now.name:
        yield frame.finding("rename-column", name, f"{was.name} is now {now.name}")
    if _other_type(frame, was, now):
        yield frame.finding("change-type", name, f"{was.type} is now {now.type}")
    if now.not_null and not was.not_null:
        yield frame.finding("set-not-null", name, "it takes no null any more")
    if was.not_null and not now.not_null:
        yield frame.finding("drop-not-null", name, "it takes nulls")
    if now.identity == "a" and was.identity != "a":
        yield frame.finding("identity-always", name, "it is generated always")
    if now.required and not was.required:
        if was.not_null:
            yield frame.finding("drop-default", name, _lost(was))
    elif was.generated and not now.generated:
        yield frame.finding("drop-default", name, "it is not generated any more")
    elif (now.default is not None and now.default != was.default) or (
        now.generated != was.generated and now.generated
    ):
        detail = f"{was.default or 'no default'} is now {now.default}"
        yield frame.finding("set-default", name, detail)
    yield from frame.revoked(name, was.grants, now.grants)


def _lost(was: Column) -> str:
    if was.generated:
        return "it is not generated any more, and takes no null"
    return f"the default {was.default or '(identity)'} is gone, and it takes no null"


def _other_type(frame: Frame, was: Column, now: Column) -> bool:
    if (was.type_oid, was.modifier) == (now.type_oid, now.modifier) or widens(was.type, now.type):
        return False
    # An enum that was made anew under its old name: its values are looked at, not the column's.
    name = now.type.replace('"', "").removesuffix("[]")
    enums = {f"{one.schema}.{one.name}" for one in frame.after.types.values() if one.kind == "e"}
    return not (was.type == now.type and name in enums)


def _new_columns(frame: Frame, old: Relation, new: Relation) -> Iterator[Finding]:
    before = {one.number: one for one in old.columns}
    for now in new.columns:
        if frame.known(old.oid, now.number):
            continue
        was = before.get(now.number)
        if now.required and not (was and was.required):
            name = f"{old.subject}.{now.name}"
            yield frame.finding("add-required-column", name, f"{now.type} NOT NULL, no default")

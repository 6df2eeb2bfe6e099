"""What a migration did to schemas, types, functions, triggers and policies. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.database.catalogue.catalogue import Function, Trigger, Type
    from deploy.database.catalogue.frame import Frame
    from deploy.database.lint.rules import Finding


def objects(frame: Frame) -> Iterator[Finding]:
    """Yield what happened to what the running version knows."""
    yield from _schemas(frame)
    for oid, old in frame.before.types.items():
        if oid in frame.base.types or _same_name(old, frame.base.types.values()):
            yield from _type(frame, old)
    for oid, function in frame.before.functions.items():
        if oid in frame.base.functions or _same_signature(function, frame.base.functions.values()):
            yield from _function(frame, function)
    yield from _triggers(frame)
    yield from _policies(frame)
    for name in frame.base.extensions:
        if name in frame.before.extensions and name not in frame.after.extensions:
            yield frame.finding("drop-type", name, f"the extension {name} is gone")


def _schemas(frame: Frame) -> Iterator[Finding]:
    for oid, old in frame.before.schemas.items():
        if oid not in frame.base.schemas:
            continue
        new = frame.after.schemas.get(oid)
        if not new:
            yield frame.finding("drop-schema", old.name, f"the schema {old.name} is gone")
            continue
        if new.name != old.name:
            yield frame.finding("rename-type", old.name, f"{old.name} is now {new.name}")
        yield from frame.revoked(old.name, old.grants, new.grants)


def _same_name(one: Type, others: Iterable[Type]) -> Type | None:
    name = (one.schema, one.name, one.kind)
    return next((o for o in others if (o.schema, o.name, o.kind) == name), None)


def _type(frame: Frame, old: Type) -> Iterator[Finding]:
    new = frame.after.types.get(old.oid)
    # Dropped or moved out of the way, with another one of its name: as Drizzle does with an enum
    # whose values changed.
    instead = _same_name(old, frame.after.types.values())
    if instead and instead.oid != old.oid:
        yield from _domain(frame, old, instead)
        yield from _labels(frame, old, instead)
        yield from frame.revoked(old.subject, old.grants, instead.grants)
    elif not new:
        yield frame.finding("drop-type", old.subject, f"the type {old.subject} is gone")
    else:
        if new.schema_oid != old.schema_oid:
            yield frame.finding("set-schema", old.subject, f"{old.subject} is now {new.subject}")
        elif new.name != old.name:
            yield frame.finding("rename-type", old.subject, f"{old.name} is now {new.name}")
        yield from _domain(frame, old, new)
        yield from _labels(frame, old, new)
        yield from frame.revoked(old.subject, old.grants, new.grants)


def _domain(frame: Frame, old: Type, new: Type) -> Iterator[Finding]:
    if new.base != old.base:
        yield frame.finding("change-type", old.subject, f"{old.base} is now {new.base}")
    if new.not_null and not old.not_null:
        yield frame.finding("set-not-null", old.subject, "it takes no null any more")
    if old.default is not None and new.default is None and new.not_null:
        yield frame.finding("drop-default", old.subject, f"the default {old.default} is gone")
    if old.not_null and not new.not_null:
        yield frame.finding("drop-not-null", old.subject, "it takes nulls")


def _labels(frame: Frame, old: Type, new: Type) -> Iterator[Finding]:
    now = dict(new.labels)
    renamed = [
        f"{label} is now {now[oid]}" for oid, label in old.labels if now.get(oid, label) != label
    ]
    if renamed:
        yield frame.finding("rename-enum-value", old.subject, "; ".join(renamed))
        return
    was = [label for _, label in old.labels]
    gone = [label for label in was if label not in now.values()]
    if gone:
        yield frame.finding("remove-enum-value", old.subject, f"gone: {', '.join(gone)}")
    if added := [label for label in now.values() if label not in was]:
        yield frame.finding("add-enum-value", old.subject, f"new: {', '.join(added)}")


def _same_signature(one: Function, others: Iterable[Function]) -> Function | None:
    name = (one.schema, one.name, one.arguments)
    return next((o for o in others if (o.schema, o.name, o.arguments) == name), None)


def _function(frame: Frame, old: Function) -> Iterator[Finding]:
    found = frame.after.functions.get(old.oid)
    new = found or _same_signature(old, frame.after.functions.values())
    if not new:
        yield frame.finding("drop-function", old.subject, f"{old.subject} is gone")
        return
    if new.schema_oid != old.schema_oid:
        yield frame.finding("set-schema", old.subject, f"{old.subject} is now {new.subject}")
    elif new.name != old.name:
        yield frame.finding("rename-type", old.subject, f"{old.name} is now {new.name}")
    elif new.body != old.body:
        yield frame.finding("replace-function", old.subject, "its definition changed")
    yield from frame.revoked(old.subject, old.grants, new.grants)


def _triggers(frame: Frame) -> Iterator[Finding]:
    known = set(frame.base.relations) & set(frame.after.relations)
    before = {(one.relation, one.definition) for one in _enabled(frame.before.triggers)}
    after = {(one.relation, one.definition) for one in _enabled(frame.after.triggers)}
    for one in _enabled(frame.after.triggers):
        old = frame.before.triggers.get(one.oid)
        # One whose table or column was renamed is printed otherwise, and is the same.
        same = old is not None and old.enabled and old.name == one.name
        if one.relation in known and not same and (one.relation, one.definition) not in before:
            subject = frame.after.relations[one.relation].subject
            yield frame.finding("add-trigger", subject, one.definition)
    for one in _enabled(frame.before.triggers):
        kept = frame.after.triggers.get(one.oid)
        gone = not (kept and kept.enabled) and (one.relation, one.definition) not in after
        if one.relation in known and one.oid in frame.base.triggers and gone:
            subject = frame.after.relations[one.relation].subject
            yield frame.finding("add-trigger", subject, f"gone: {one.definition}")


def _enabled(triggers: dict[int, Trigger]) -> list[Trigger]:
    return [one for one in triggers.values() if one.enabled]


def _policies(frame: Frame) -> Iterator[Finding]:
    """Yield policies that may hide or refuse rows: not a new permissive one, which only adds."""
    before = {
        (one.relation, one.permissive, one.definition) for one in frame.before.policies.values()
    }
    after = {
        (one.relation, one.permissive, one.definition) for one in frame.after.policies.values()
    }
    for relation in frame.base.relations:
        table = frame.after.relations.get(relation)
        if not table or not table.row_security:
            continue
        gone = any(one[0] == relation for one in before - after)
        tightened = any(one[0] == relation and not one[1] for one in after - before)
        if gone or tightened:
            yield frame.finding("row-security", table.subject, "its policies changed")

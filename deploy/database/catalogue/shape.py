"""What a schema is, whatever its OIDs: to tell whether a way back leads back. Pure.

The order of columns is left out: no way back can restore it, and Drizzle names every column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.database.catalogue.catalogue import subject

if TYPE_CHECKING:
    from deploy.database.catalogue.catalogue import Catalogue, Grants, Relation

Shape = frozenset[str]
"""One line for each thing in a schema."""

_KINDS = {"r": "table", "p": "table", "f": "table", "S": "sequence", "c": "type"}


def shape(catalogue: Catalogue, *, schema: str = "", table: str = "") -> Shape:
    """Return what is in a catalogue, in words.

    Args:
        catalogue: as it was read.
        schema: of the migrator's own table, which is left out.
        table: its name.
    """
    own = subject(schema, table) if table else ""
    return frozenset(
        f"{what} {name}: {rest}"
        for what, name, rest in _things(catalogue)
        if not (own and (name.startswith(own) or (what, name) == ("schema", schema)))
    )


def differences(before: Shape, after: Shape) -> tuple[str, ...]:
    """Return the lines that only one of two has: `- LINE` of the first, `+ LINE` of the second."""
    lost = [f"- {one}" for one in sorted(before - after)]
    return (*lost, *(f"+ {one}" for one in sorted(after - before)))


def _things(catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    for schema in catalogue.schemas.values():
        yield "schema", schema.name, _granted(schema.grants)
    for relation in catalogue.relations.values():
        yield from _relation(catalogue, relation)
    names = {one.oid: one.subject for one in catalogue.relations.values()}
    names |= {one.oid: one.subject for one in catalogue.types.values()}
    for one in catalogue.constraints.values():
        of = names.get(one.relation or one.type_oid, "")
        rest = one.definition if one.validated else f"{one.definition} not validated"
        yield "constraint", f"{of}.{one.name}", rest
    for index in catalogue.indexes.values():
        flags = f"unique={index.unique} valid={index.valid}"
        rest = f"on {names.get(index.relation, '')} {index.definition} {flags}"
        yield "index", subject(index.schema, index.name), rest
    for type_ in catalogue.types.values():
        labels = ", ".join(label for _, label in type_.labels)
        rest = f"{type_.kind} {type_.base} ({labels}) {type_.not_null} {type_.default}"
        yield "type", type_.subject, f"{rest} {_granted(type_.grants)}"
    for function in catalogue.functions.values():
        rest = f"{function.kind} {function.body} {_granted(function.grants)}"
        yield "function", function.subject, rest
    for trigger in catalogue.triggers.values():
        name = f"{names.get(trigger.relation, '')}.{trigger.name}"
        yield "trigger", name, f"{trigger.definition} enabled={trigger.enabled}"
    for policy in catalogue.policies.values():
        name = f"{names.get(policy.relation, '')}.{policy.name}"
        yield "policy", name, f"{policy.definition} permissive={policy.permissive}"
    for name, version in catalogue.extensions.items():
        yield "extension", name, version


def _relation(catalogue: Catalogue, one: Relation) -> Iterator[tuple[str, str, str]]:
    parent = catalogue.relations.get(one.parent)
    rest = f"{one.kind} {one.definition} partition of {parent.subject if parent else 'none'}"
    security = f"row_security={one.row_security} forced={one.forced} owned={one.owned}"
    kind = _KINDS.get(one.kind, "view")
    yield kind, one.subject, f"{rest} {security} {_granted(one.grants)}"
    for column in one.columns:
        rest = f"{column.type} not_null={column.not_null} default={column.default}"
        made = f"identity={column.identity} generated={column.generated}"
        yield "column", f"{one.subject}.{column.name}", f"{rest} {made} {_granted(column.grants)}"


def _granted(grants: Grants) -> str:
    return f"[{', '.join(sorted(grants))}]"

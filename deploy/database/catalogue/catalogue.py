"""A database's schema as its catalogue has it at one moment.

Objects are told apart by their OIDs, columns by their table's OID and their number, which a rename
leaves as they are: so a snapshot is only ever compared with another one of the same database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploy.database.catalogue.query import QUERY

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.database.server import Server

Grants = frozenset[str]
"""Who may do what, as "ROLE PRIVILEGE"; the role `-` is PUBLIC."""


def _grants(words: list[str] | None) -> Grants:
    return frozenset(words or ())


@dataclass(frozen=True)
class Column:
    """A column. `type` is its type as people write it; `type_oid` and `modifier` are its identity.

    `default` is the expression, None without one. `identity` is "a" (always), "d" (by default) or
    "", `generated` "s" (stored), "v" (virtual) or "". A domain's NOT NULL and default count.
    """

    number: int
    name: str
    type: str
    type_oid: int
    modifier: int
    not_null: bool
    default: str | None
    identity: str
    generated: str
    grants: Grants

    @property
    def required(self) -> bool:
        """An insert that leaves it out fails."""
        return self.not_null and self.default is None and not self.identity and not self.generated


@dataclass(frozen=True)
class Relation:
    """A table ("r", partitioned "p", foreign "f"), a view ("v", "m"), sequence "S", type "c".

    `definition` is a hash of a view's query and options, else None. `parent` is the OID of the
    table whose partition it is, else 0. `owned` says that a sequence belongs to a column.
    """

    oid: int
    schema_oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[Column, ...]
    row_security: bool
    forced: bool
    definition: str | None
    parent: int
    owned: bool
    grants: Grants

    @property
    def is_table(self) -> bool:
        """Rows are kept in it, or in its partitions."""
        return self.kind in {"r", "p", "f"}

    @property
    def subject(self) -> str:
        """Its name, as `Finding.subject` has it."""
        return subject(self.schema, self.name)


@dataclass(frozen=True)
class Constraint:
    """A check "c", foreign key "f", primary key "p", unique "u" or exclusion "x" constraint.

    It is a table's or, of a domain, `type_oid`'s; the other is 0. `columns` are numbers.
    """

    oid: int
    relation: int
    type_oid: int
    name: str
    kind: str
    columns: tuple[int, ...]
    definition: str
    validated: bool


@dataclass(frozen=True)
class Index:
    """An index. `definition` begins with its method; `expression`: not all keys are columns."""

    oid: int
    relation: int
    schema: str
    name: str
    unique: bool
    valid: bool
    columns: tuple[int, ...]
    expression: bool
    definition: str


@dataclass(frozen=True)
class Type:
    """An enum "e" with its labels (OID, text) in their order, a domain "d", or a range "r"."""

    oid: int
    schema_oid: int
    schema: str
    name: str
    kind: str
    labels: tuple[tuple[int, str], ...]
    base: str
    not_null: bool
    default: str | None
    grants: Grants

    @property
    def subject(self) -> str:
        """Its name, as `Finding.subject` has it."""
        return subject(self.schema, self.name)


@dataclass(frozen=True)
class Function:
    """A function, procedure or aggregate; `body` is a hash of its whole definition."""

    oid: int
    schema_oid: int
    schema: str
    name: str
    kind: str
    arguments: str
    body: str
    grants: Grants

    @property
    def subject(self) -> str:
        """Its name and arguments."""
        return f"{subject(self.schema, self.name)}({self.arguments})"


@dataclass(frozen=True)
class Trigger:
    """A trigger, or a rule other than a view's own."""

    oid: int
    relation: int
    name: str
    definition: str
    enabled: bool


@dataclass(frozen=True)
class Policy:
    """A policy for rows; `definition` holds its command, roles and expressions."""

    oid: int
    relation: int
    name: str
    permissive: bool
    definition: str


@dataclass(frozen=True)
class Schema:
    """A schema."""

    oid: int
    name: str
    grants: Grants


@dataclass(frozen=True)
class Catalogue:
    """Everything in a database that a migration can change but its rows, each by its OID.

    `version` is PostgreSQL's `server_version_num`; `extensions` are names with their versions.
    """

    version: int
    schemas: dict[int, Schema] = field(default_factory=dict)
    relations: dict[int, Relation] = field(default_factory=dict)
    constraints: dict[int, Constraint] = field(default_factory=dict)
    indexes: dict[int, Index] = field(default_factory=dict)
    types: dict[int, Type] = field(default_factory=dict)
    functions: dict[int, Function] = field(default_factory=dict)
    triggers: dict[int, Trigger] = field(default_factory=dict)
    policies: dict[int, Policy] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)

    def invalid(self) -> list[str]:
        """Name the indexes that a failed CONCURRENTLY has left."""
        return [subject(one.schema, one.name) for one in self.indexes.values() if not one.valid]


def subject(schema: str, name: str) -> str:
    """Return `schema.name`, or the name alone in the schema public."""
    return name if schema == "public" else f"{schema}.{name}"


def read(server: Server, *, timeout: float = 60) -> Catalogue:
    """Ask a server for its schema, in a transaction of its own that changes nothing.

    Raises:
        HostError: the database cannot be asked.
    """
    return parse(server.psql(QUERY, timeout=timeout, doing="the catalogue could not be read"))


AFRESH = f"discard all;\n{QUERY}"
"""The same question at the end of a session that has done other things; see `last`."""


def last(printed: str) -> Catalogue:
    """Return what a session with `AFRESH` at its end has printed in its last line."""
    return parse(printed.splitlines()[-1])


def parse(text: str) -> Catalogue:
    """Return what the query's one line of JSON says."""
    found: dict[str, Any] = json.loads(text)

    def rows(name: str) -> list[list[Any]]:
        return found[name] or []

    return Catalogue(
        version=found["version"],
        schemas={r[0]: Schema(*_with(r, 2, _grants)) for r in rows("schemas")},
        relations={r[0]: _relation(r) for r in rows("relations")},
        constraints={r[0]: Constraint(*_with(r, 5, tuple)) for r in rows("constraints")},
        indexes={r[0]: Index(*_with(r, 6, tuple)) for r in rows("indexes")},
        types={r[0]: Type(*_with(_with(r, 5, _labels), 9, _grants)) for r in rows("types")},
        functions={r[0]: Function(*_with(r, 7, _grants)) for r in rows("functions")},
        triggers={r[0]: Trigger(*r) for r in rows("triggers")},
        policies={r[0]: Policy(*r) for r in rows("policies")},
        extensions={r[1]: r[2] for r in rows("extensions")},
    )


def _with(row: list[Any], at: int, made: Callable[[Any], Any]) -> list[Any]:
    return [*row[:at], made(row[at]), *row[at + 1 :]]


def _relation(row: list[Any]) -> Relation:
    columns = tuple(Column(*_with(one, 9, _grants)) for one in row[5])
    return Relation(*_with(_with(row, 5, lambda _: columns), 11, _grants))


def _labels(pairs: list[list[Any]]) -> tuple[tuple[int, str], ...]:
    return tuple((oid, label) for oid, label in pairs)

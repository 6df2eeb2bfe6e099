"""What a migration can do to the version that is running, one rule for each hazard. Pure.

The text layer (`lint`) and the catalogue layer (`catalogue`) find hazards independently and call
them by the same names; `docs/migrations.md` has a section for each. What a finding means for a
deploy is decided here alone, by its rule's level.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """What a rule's finding means.

    BREAKS: the running version fails on it; refused, unless allowed by name or in a contract file.
    DATA: it destroys or changes rows; refused, unless allowed by name.
    LOCK: it holds a lock that grows with the table; refused where the table is large.
    OPAQUE: the text does not say what it does; refused by the text alone, decided by the catalogue.
    UNREADABLE: nobody knows what it is, or what is meant; refused, with no way around.
    BACK: it has no way back that is proven; refused where a way back is required.
    WARNS: said, and not refused.
    """

    BREAKS = "breaks"
    DATA = "data"
    LOCK = "lock"
    OPAQUE = "opaque"
    UNREADABLE = "unreadable"
    BACK = "back"
    WARNS = "warns"


@dataclass(frozen=True)
class Rule:
    """A hazard: its id as written in `-- deploy: allow ID REASON`, and what it is in one line."""

    id: str
    level: Level
    what: str


RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule("drop-table", Level.BREAKS, "a table goes that the running version reads"),
        Rule("drop-column", Level.BREAKS, "a column goes; Drizzle names every column it reads"),
        Rule("drop-view", Level.BREAKS, "a view or a materialized view goes"),
        Rule("drop-type", Level.BREAKS, "a type or a domain goes"),
        Rule("drop-schema", Level.BREAKS, "a schema goes with what is in it"),
        Rule("drop-function", Level.BREAKS, "a function or a procedure goes"),
        Rule("drop-sequence", Level.BREAKS, "a sequence goes"),
        Rule("drop-default", Level.BREAKS, "inserts that leave the column out fail from then on"),
        Rule("rename-table", Level.BREAKS, "a table, a view or a sequence has another name"),
        Rule("rename-column", Level.BREAKS, "a column has another name"),
        Rule("rename-type", Level.BREAKS, "a type, a function or a schema has another name"),
        Rule("rename-enum-value", Level.BREAKS, "a value that the running version writes is gone"),
        Rule("remove-enum-value", Level.BREAKS, "a value that the running version writes is gone"),
        Rule("change-type", Level.BREAKS, "a column's type is not one that holds all it held"),
        Rule("add-required-column", Level.BREAKS, "the running version's inserts leave it out"),
        Rule("set-not-null", Level.BREAKS, "the running version may write a null"),
        Rule("add-unique", Level.BREAKS, "the running version may write what is now refused"),
        Rule("add-check", Level.BREAKS, "the running version may write what is now refused"),
        Rule("add-foreign-key", Level.BREAKS, "the running version may write what is now refused"),
        Rule("add-exclusion", Level.BREAKS, "the running version may write what is now refused"),
        Rule("row-security", Level.BREAKS, "rows disappear from, or are refused to, who asks now"),
        Rule("revoke", Level.BREAKS, "the running version may no longer be allowed"),
        Rule("set-schema", Level.BREAKS, "it is found in another schema from then on"),
        Rule("add-trigger", Level.BREAKS, "the running version's writes do something else"),
        Rule("identity-always", Level.BREAKS, "inserts that name the column fail from then on"),
        Rule("replace-function", Level.BREAKS, "a function that is there does something else"),
        Rule("replace-view", Level.BREAKS, "a view that is there shows something else"),
        Rule("running-query", Level.BREAKS, "a query of the running version fails after it"),
        Rule("truncate", Level.DATA, "all rows go"),
        Rule("delete", Level.DATA, "rows go"),
        Rule("update-all", Level.DATA, "every row is changed"),
        Rule("index-blocks-writes", Level.LOCK, "an index is made or dropped, not CONCURRENTLY"),
        Rule("constraint-scan", Level.LOCK, "a constraint is checked against all rows at once"),
        Rule("unique-builds-index", Level.LOCK, "a constraint's index is built under the lock"),
        Rule("set-not-null-scan", Level.LOCK, "all rows are read under the strongest lock"),
        Rule("rewrite", Level.LOCK, "the whole table is written anew under the strongest lock"),
        Rule("lock-table", Level.LOCK, "VACUUM FULL, CLUSTER, REINDEX, LOCK TABLE and their like"),
        Rule("many-locks", Level.LOCK, "several tables are locked at once in one transaction"),
        Rule("opaque", Level.OPAQUE, "what it does is decided only when it runs"),
        Rule("unreadable", Level.UNREADABLE, "no statement of PostgreSQL's"),
        Rule("bad-exception", Level.UNREADABLE, "a `-- deploy:` comment that allows nothing"),
        Rule("no-down", Level.BACK, "it has no way back"),
        Rule("bad-down", Level.BACK, "its way back does not lead back"),
        Rule("add-enum-value", Level.WARNS, "the running version may read a value it has not met"),
        Rule("drop-not-null", Level.WARNS, "the running version may read a null"),
        Rule("drop-constraint", Level.WARNS, "rows may come that the way back would not take"),
        Rule("set-default", Level.WARNS, "new rows get another value"),
        Rule("update", Level.WARNS, "rows are changed"),
        Rule("insert", Level.WARNS, "rows come"),
        Rule("not-atomic", Level.WARNS, "a failure half-way leaves a part of the file applied"),
    )
}

OF_FILE = frozenset({"running-query", "no-down", "bad-down"})
"""Rules about a file as a whole, which none of its statements shows: an exception for one of them
may stand anywhere in it."""


@dataclass(frozen=True)
class Hazard:
    """A rule that a statement meets, before it is known where the statement stands.

    `harmless` says why it does no harm here ("the table is new"); then it is no finding, and nobody
    else's word about the same statement makes it one. `subject` is as a finding's.
    """

    rule: str
    subject: str = ""
    harmless: str = ""


@dataclass(frozen=True, order=True)
class Finding:
    """A rule met in a migration.

    `file` is the path within the migrations folder, `line` that of the statement (from 1; 0 where
    only the catalogue saw it). `subject` is what it concerns: a table, or `table.column`, as
    `schema.name` unless the schema is public; "" where there is none. `detail` is the evidence in
    one line: the statement's beginning, or what the catalogue shows. `allowed` is the reason that
    somebody wrote for it, else "".
    """

    file: str
    line: int
    rule: str
    subject: str = ""
    detail: str = ""
    allowed: str = ""

    @property
    def level(self) -> Level:
        """The level of its rule."""
        return RULES[self.rule].level

"""What the migrations of one deploy have made so far: what is new can't be missed by anybody. Pure.

The statements are read in their order. What the batch has created the running version does not
know, so a hazard on it is none; of what was there before, only what earlier migrations say is
known.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.database.lint.columns import Column
    from deploy.database.lint.words import Name


@dataclass
class Check:
    """A CHECK that says `column IS NOT NULL`; it is of use once it is valid for all rows."""

    column: str
    valid: bool


@dataclass
class Batch:
    """What is known at one point of a batch.

    `tables` are the new ones; the value says whether it is sure that the name was free before
    (IF NOT EXISTS leaves that open). `columns` are all known columns of new tables and the new
    ones of others; `old` those that earlier migrations made. `others` are new types, functions,
    views and their like as (kind, name). `coming` is all that the batch creates anywhere, likewise.
    """

    tables: dict[Name, bool] = field(default_factory=dict)
    columns: dict[tuple[Name, str], Column] = field(default_factory=dict)
    old: dict[tuple[Name, str], Column] = field(default_factory=dict)
    others: set[tuple[str, Name]] = field(default_factory=set)
    coming: set[tuple[str, Name]] = field(default_factory=set)
    checks: dict[tuple[Name, str], Check] = field(default_factory=dict)
    indexes: dict[Name, Name] = field(default_factory=dict)
    temporary: set[Name] = field(default_factory=set)
    """Tables of the session: another may have the same name in a schema."""
    unsure: bool = False
    """What is created now is created in one branch of a block, or not at all."""

    def settled(self) -> Batch:
        """The same once all of it has been applied: nothing is new, and its columns are known."""
        return Batch(
            old=self.old | self.columns, checks=dict(self.checks), indexes=dict(self.indexes)
        )

    def is_new(self, table: Name, *, surely: bool = False) -> bool:
        """Whether the batch has made this table; `surely`: and it can't have been there before."""
        found = None if self._shadowed(table) else self.tables.get(table)
        return found is not None and (found or not surely)

    def made(self, kind: str, name: Name) -> bool:
        """Whether the batch has made this view, type, function, sequence, schema."""
        return (kind, name) in self.others

    def new_column(self, table: Name, name: str) -> Column | None:
        """The column if the batch has added it."""
        if self._shadowed(table):
            return None
        return self.columns.get((table, name))

    def _shadowed(self, table: Name) -> bool:
        return table.qualified and table in self.temporary

    def make(self, kind: str, name: Name) -> None:
        """Something that is no table is created, and was not there before."""
        if not self.unsure:
            self.others.add((kind, name))

    def all_new(self, table: Name, names: Iterable[str]) -> bool:
        """Whether there are columns, and all of them are new."""
        found = [self.new_column(table, name) is not None for name in names]
        return bool(found) and all(found)

    def add_table(self, table: Name, columns: Iterable[Column], *, if_not_exists: bool) -> None:
        """A table is created."""
        if_not_exists = if_not_exists or self.unsure
        if if_not_exists and any(of == table for of, _ in self.old):
            return
        self.tables[table] = not if_not_exists
        for one in columns:
            self.columns[table, one.name] = one

    def add_column(self, table: Name, column: Column) -> None:
        """A column is added to a table."""
        column = replace(column, sure=column.sure and not self.unsure)
        if column.sure or (table, column.name) not in self.old:
            self.columns[table, column.name] = column

    def change(self, table: Name, name: str, **changes: object) -> None:
        """A known column gets other properties."""
        for known in (self.columns, self.old):
            if (table, name) in known:
                known[table, name] = replace(known[table, name], **changes)  # type: ignore[arg-type]

    def drop_table(self, table: Name) -> None:
        """A table is dropped, with all that is known of it."""
        self.tables.pop(table, None)
        self.temporary.discard(table)
        for known in (self.columns, self.old):
            for key in [key for key in known if key[0] == table]:
                del known[key]

    def rename_table(self, table: Name, to: Name) -> None:
        """A table has another name from now on."""
        if table in self.tables:
            self.tables[to] = self.tables.pop(table)
        else:
            # A table of this name is no longer the one that the batch has made.
            self.tables.pop(to, None)
        for known in (self.columns, self.old):
            for key in [key for key in known if key[0] == table]:
                known[to, key[1]] = known.pop(key)

    def rename_column(self, table: Name, name: str, to: str) -> None:
        """A column has another name from now on."""
        for known in (self.columns, self.old):
            known.pop((table, to), None)
            if (table, name) in known:
                known[table, to] = replace(known.pop((table, name)), name=to)

    def never_null(self, table: Name, name: str) -> bool:
        """Whether a valid CHECK says that the column is not null."""
        return any(
            of == table and check.column == name and check.valid
            for (of, _), check in self.checks.items()
        )

    def forget(self) -> None:
        """Names may mean other things from now on (`search_path`): nothing is known to be new."""
        self.tables, self.columns, self.old = {}, {}, {}
        self.others, self.checks, self.indexes, self.temporary = set(), {}, {}, set()

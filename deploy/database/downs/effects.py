"""What going back behind a migration would lose, as its statements are read. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.database.downs.guards import Guard
    from deploy.database.lint.words import Name


class Class(StrEnum):
    """What running a down loses.

    A: nothing, if its guards say yes. B: what was written since the migration. C: what cannot be
    had again but from a backup, or nobody can tell. D: nothing, but there is no way back in SQL.
    """

    A = "A"
    B = "B"
    C = "C"
    D = "D"


_WORST = "ADBC"


@dataclass(frozen=True)
class Reason:
    """Why a down is not of class A; `line` is that of the statement in its file, from 1."""

    klass: Class
    path: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.why}"


def worst(reasons: list[Reason]) -> Class:
    """The class of a down with these reasons against it; A where there are none."""
    return max((one.klass for one in reasons), key=_WORST.index, default=Class.A)


@dataclass
class Effects:
    """What a migration has done so far.

    `tables`, `columns`, `others` (kind and name) are those that it has made, `retyped` is (table,
    column) → the type that it has given, `inserted` the tables that it has put rows into. `guards`
    and `reasons` are what going back depends on. `counts` tells that something was done that has to
    be undone: rows and an enum's values may stay.
    """

    tables: set[Name] = field(default_factory=set)
    columns: set[tuple[Name, str]] = field(default_factory=set)
    others: set[tuple[str, Name]] = field(default_factory=set)
    retyped: dict[tuple[Name, str], str] = field(default_factory=dict)
    inserted: set[Name] = field(default_factory=set)
    guards: list[Guard] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    counts: bool = False
    path: str = ""
    line: int = 0

    def against(self, klass: Class, why: str) -> None:
        """Note what keeps the down from being of class A, on the statement at hand."""
        self.reasons.append(Reason(klass, self.path, self.line, why))

    def made(self, table: Name, column: str = "") -> bool:
        """Whether the migration has made the table, or that column of it."""
        return table in self.tables or (table, column) in self.columns

    def forget(self, table: Name, column: str = "") -> None:
        """What the migration made itself is dropped again: there is nothing to lose of it."""
        self.guards = [
            one for one in self.guards if one.relation != table or (column and one.column != column)
        ]
        if not column:
            self.tables.discard(table)
        self.columns = {
            one for one in self.columns if one[0] != table or (column and one[1] != column)
        }

    def rename_table(self, table: Name, to: Name) -> None:
        """The table is asked by its new name."""
        self.guards = [
            replace(one, relation=to) if one.relation == table else one for one in self.guards
        ]
        for names in (self.tables, self.inserted):
            if table in names:
                names.remove(table)
                names.add(to)
        self.columns = {(to if of == table else of, name) for of, name in self.columns}
        self.retyped = {
            (to if of == table else of, name): type_ for (of, name), type_ in self.retyped.items()
        }

    def rename_column(self, table: Name, column: str, to: str) -> None:
        """The column is asked by its new name."""
        self.guards = [
            replace(one, column=to) if (one.relation, one.column) == (table, column) else one
            for one in self.guards
        ]
        self.columns = {
            (of, to if (of, name) == (table, column) else name) for of, name in self.columns
        }
        if (table, column) in self.retyped:
            self.retyped[table, to] = self.retyped.pop((table, column))

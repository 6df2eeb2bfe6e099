"""What is asked of a database before a down is run: is there anything that it would lose? Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.migrations.recorded import identifier, literal

if TYPE_CHECKING:
    from deploy.database.lint.words import Name


@dataclass(frozen=True)
class Guard:
    """A question to which only yes lets a down run.

    `relation` is the table or sequence that is looked at, `column` its column or "". `test` is the
    SQL of what a row has that would be lost, with `{column}` in place of the quoted column; "":
    each row would be. `sequence`: whether it has given out a value is asked instead. `loss` is
    what a no means, for people.
    """

    relation: Name
    column: str = ""
    test: str = ""
    loss: str = ""
    sequence: bool = False

    @property
    def table(self) -> str:
        """The relation's name, quoted for SQL."""
        return quoted(self.relation)

    @property
    def query(self) -> str:
        """One row with one boolean: true where nothing would be lost."""
        if self.sequence:
            return f"select not is_called from {self.table}"  # noqa: S608 - quoted
        where = self.test.replace("{column}", identifier(self.column))
        condition = f" where {where}" if where else ""
        return f"select not exists (select from {self.table}{condition})"  # noqa: S608 - quoted

    @property
    def there(self) -> str:
        """SQL for whether what is looked at exists: a file that failed half-way may lack it."""
        relation = f"to_regclass({literal(self.table)})"
        if not self.column:
            return f"{relation} is not null"
        return (
            f"exists (select from pg_attribute where attrelid = {relation} "
            f"and attname = {literal(self.column)} and not attisdropped)"
        )

    def __str__(self) -> str:
        return self.loss


def quoted(name: Name) -> str:
    """A name for SQL; one without a schema, or of public, is left to the search path."""
    parts = [name.schema, name.name] if name.schema else [name.name]
    return ".".join(identifier(part) for part in parts)


def no_rows(table: Name) -> Guard:
    """The table is still empty."""
    return Guard(table, loss=f"{table} has rows, and they would be lost")


def all_null(table: Name, column: str) -> Guard:
    """Nobody has written the column."""
    return Guard(
        table, column, "{column} is not null", f"{table}.{column} was written, and would be lost"
    )


def all_default(table: Name, column: str, default: str, type_: str) -> Guard:
    """Each row still has the default, compared as text: json and point have no equality."""
    test = f"{{column}}::text is distinct from (({default})::{type_})::text"
    return Guard(table, column, test, f"{table}.{column} was written, and would be lost")


def no_nulls(table: Name, column: str) -> Guard:
    """NOT NULL can be had again."""
    return Guard(table, column, "{column} is null", f"{table}.{column} has nulls by now")


def fits(table: Name, column: str, old: str) -> Guard:
    """Each value survives the way to the type that the column had, and back."""
    test = f"{{column}}::text is distinct from ({{column}}::text::{old})::text"
    return Guard(table, column, test, f"{table}.{column} has values that {old} does not hold")


def not_used(sequence: Name) -> Guard:
    """The sequence has given out no value."""
    return Guard(sequence, loss=f"{sequence} has given out values", sequence=True)

"""What Drizzle's own table says has been applied, read from a database as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.migrations.folder import Format
from deploy.errors import HostError

if TYPE_CHECKING:
    from deploy.database.migrations.folder import Migration
    from deploy.database.server import Server


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL, whatever standard_conforming_strings is."""
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return f"E{quoted}" if "\\" in text else quoted


@dataclass(frozen=True)
class Table:
    """Where Drizzle writes down what it applied; `migrations.schema` and `.table` of its config."""

    schema: str = "drizzle"
    name: str = "__drizzle_migrations"

    def __str__(self) -> str:
        return f"{identifier(self.schema)}.{identifier(self.name)}"


@dataclass(frozen=True)
class Row:
    """One row. `when` is its `created_at` in milliseconds; `name` is None in a v0 table.

    Either may be null in the database: Drizzle's columns allow it.
    """

    hash: str
    when: int | None
    name: str | None = None
    id: int = 0


@dataclass(frozen=True)
class Recorded:
    """The table's rows, oldest first, and the format it is in; None where there is no table."""

    format: Format | None = None
    rows: tuple[Row, ...] = ()


def key(one: Row | Migration, form: Format) -> object:
    """By what Drizzle knows which row is a migration's: equal for both of them."""
    return one.name if form is Format.V1 else (one.hash, one.when)


def recorded(server: Server, table: Table | None = None) -> Recorded:
    """Ask a database what has been applied to it. Nothing is made where there is no table.

    Raises:
        HostError: it cannot be asked.
    """
    doing = "the database could not be asked which migrations it has"
    text = server.psql(question(table or Table()), timeout=30, doing=doing)
    return parse(server.host.name, text.splitlines())


def question(table: Table) -> str:
    """Return what is asked of psql, without its end of session."""
    where = f"to_regclass({literal(str(table))})"
    return f"""
\\encoding UTF8
select {where} is not null as there \\gset
\\if :there
select case when exists (select from pg_attribute where attrelid = {where}
    and attname = 'name' and not attisdropped) then 'v1' else 'v0' end;
select to_json(r) from (select * from {table} order by id) as r;
\\endif
"""  # noqa: S608 - the table's name is quoted


def parse(host: str, lines: Iterable[str]) -> Recorded:
    """Read what was printed.

    Raises:
        HostError: it is not what Drizzle's table holds.
    """
    printed = [line for line in lines if line.strip()]
    if not printed:
        return Recorded()
    try:
        return Recorded(Format(printed[0]), tuple(_row(json.loads(one)) for one in printed[1:]))
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(
            host,
            f"the table of applied migrations is not one of Drizzle's ({error})",
            mend="Name the right one, if the application's configuration of Drizzle names another.",
        ) from None


def _row(columns: dict[str, object]) -> Row:
    when, name = columns["created_at"], columns.get("name")
    return Row(
        hash=str(columns["hash"]),
        when=None if when is None else int(str(when)),
        name=None if name is None else str(name),
        id=int(str(columns["id"])),
    )

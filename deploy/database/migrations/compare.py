"""A folder's migrations held against the rows of a database, each told apart. Pure.

Drizzle applies what is newer than its newest row (v0), or what is in no row by name (v1), and looks
at nothing else. Here every file is compared with every row, and what Drizzle would silently leave
out, run twice or not notice gets its state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType

from deploy.database.migrations.folder import JOURNAL, Folder, Format, Migration
from deploy.database.migrations.recorded import Recorded, Row, Table, literal
from deploy.database.migrations.states import Judged, Standing, State


def compare(folder: Folder, recorded: Recorded, table: Table | None = None) -> Standing:
    """Say what each migration of `folder` is to a database whose table holds `recorded`."""
    table = table or Table()
    matched, left = _match(folder, recorded)
    judged = []
    for one in folder.migrations:
        rows = matched.get(one.name, ())
        judged.append(_judged(one, rows, _state(folder, recorded, one, rows), table))
    judged += [_orphan(row, table) for row in left]
    lifts = folder.format is Format.V1 and recorded.format is Format.V0
    names = {row.id: name for name, rows in matched.items() for row in rows} if lifts else {}
    if folder.format is Format.V0 and recorded.format is Format.V1:
        judged.append(
            Judged(
                JOURNAL,
                State.FORMAT,
                silently="Drizzle 0.x writes rows without a name, and Drizzle 1 would run those "
                "migrations again",
                mend="deploy an image whose folder was converted by `npx drizzle-kit up`",
            )
        )
    return Standing(folder.format, tuple(judged), MappingProxyType(names))


def _match(folder: Folder, recorded: Recorded) -> tuple[dict[str, tuple[Row, ...]], list[Row]]:
    """Find each migration's rows, the surest sign first; the rest are the rows that have no file.

    A row that belongs to one migration for sure says nothing about another: two files may well have
    the same content, or the same time.
    """
    matched: dict[str, list[Row]] = {}
    left = list(recorded.rows)

    def take(sign: Callable[[Migration, Row], bool], known: bool = False) -> None:
        for one in folder.migrations:
            if (one.name in matched) is known:
                found = [row for row in left if sign(one, row)]
                if found:
                    matched.setdefault(one.name, []).extend(found)
                    left[:] = [row for row in left if row not in found]

    if folder.format is Format.V1 and recorded.format is Format.V1:
        take(lambda one, row: row.name == one.name)
    take(lambda one, row: _nameless(folder, row) and _same(folder, one, row))
    # Drizzle run again, after the file's time or its folder's name had been changed.
    take(_by_content, known=True)
    take(_by_content)
    take(lambda one, row: _nameless(folder, row) and _time(folder, row.when) == one.when)
    return {name: tuple(rows) for name, rows in matched.items()}, left


def _by_content(one: Migration, row: Row) -> bool:
    """Whether the content alone tells it: what `generate --custom` makes is the same each time."""
    says = any(line.strip() and not line.startswith("--") for line in one.sql.splitlines())
    return says and row.hash == one.hash


def _nameless(folder: Folder, row: Row) -> bool:
    """Whether a row is looked for by its time: one that has a name belongs to that name."""
    return folder.format is Format.V0 or row.name is None


def _same(folder: Folder, one: Migration, row: Row) -> bool:
    return row.hash == one.hash and _time(folder, row.when) == one.when


def _time(folder: Folder, when: int | None) -> int | None:
    """A row's time as the folder's format has it: v1 knows whole seconds alone."""
    return when // 1000 * 1000 if when is not None and folder.format is Format.V1 else when


def _state(folder: Folder, recorded: Recorded, one: Migration, rows: Sequence[Row]) -> State:
    if len(rows) > 1:
        return State.TWICE
    if folder.format is Format.V1:
        # Drizzle lifts a v0 table first, and gives its rows their names.
        named = recorded.format is Format.V0 or any(row.name == one.name for row in rows)
        runs = not rows or not named
    else:
        runs = one.when > _newest(recorded.rows)
    if rows and runs:
        return State.AGAIN
    if rows:
        return State.APPLIED if rows[0].hash == one.hash else State.EDITED
    return State.PENDING if runs else State.SKIPPED


def _newest(rows: Iterable[Row]) -> float:
    # PostgreSQL sorts a null first when it sorts downwards, and JavaScript takes it for 0.
    times = [row.when for row in rows]
    return 0 if None in times else max((one for one in times if one is not None), default=-1)


_SILENTLY = {
    State.EDITED: "Drizzle compares no content: it would never have applied the difference",
    State.SKIPPED: "Drizzle looks at the newest row alone: it would have left the file out for "
    "ever, and reported success",
    State.AGAIN: "Drizzle would have run it a second time",
    State.TWICE: "Drizzle takes no lock: two migrators at once both ran it, or its time or name "
    "was changed, and nothing was said",
}


_MEND = {
    State.EDITED: "put the file back as it was applied, line ends too, and write the difference "
    "into a new migration",
    State.SKIPPED: "give it a newer time: take it and its journal entry out, and generate it again "
    "on top of the others",
}


def _judged(one: Migration, rows: tuple[Row, ...], state: State, table: Table) -> Judged:
    silently = _SILENTLY.get(state, "")
    if state is State.EDITED and rows[0].hash in _with_other_ends(one.sql):
        silently = f"only its line ends differ from what was applied. {silently}"
    return Judged(one.path, state, one, rows, silently, _mend(one, rows, state, table))


def _mend(one: Migration, rows: tuple[Row, ...], state: State, table: Table) -> str:
    if state is State.TWICE:
        ids = ", ".join(str(row.id) for row in rows[1:])
        typed = f"delete from {table} where id in ({ids})"  # noqa: S608 - for a person to type
        return f"mend what it has done twice, then take out what is too much: {typed}"
    if state is not State.AGAIN:
        return _MEND.get(state, "")
    if one.path == f"{one.name}.sql":
        return f"put its time in the journal back to {rows[0].when}, which the row has"
    if rows[0].name is not None:
        return f"put the folder's name back to {rows[0].name}, which the row has"
    name = literal(one.name)
    typed = f"update {table} set name = {name} where id = {rows[0].id}"  # noqa: S608 - as above
    return f"the row has no name, as an image with Drizzle 0.x writes it: {typed}"


def _with_other_ends(sql: str) -> set[str]:
    """The hashes of the same text as other systems and editors end its lines."""
    unix = sql.replace("\r\n", "\n")
    texts = {
        text
        for one in (unix, unix.rstrip("\n"), unix.rstrip("\n") + "\n")
        for text in (one, one.replace("\n", "\r\n"))
    }
    return {hashlib.sha256(text.encode()).hexdigest() for text in texts}


def _orphan(row: Row, table: Table) -> Judged:
    what = row.name or f"row {row.id} of {table} (hash {row.hash[:12]}, created_at {row.when})"
    return Judged(
        what,
        State.ORPHAN,
        rows=(row,),
        silently="Drizzle never looks at it: this image is older than the database, or from "
        "another branch",
        mend="deploy an image that has this migration",
    )

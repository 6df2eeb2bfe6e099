"""What each migration of a folder is to a database. Pure.

Who says so is `judge`; here is what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from deploy.database.migrations.folder import Format, Migration
from deploy.errors import Fault, Refused

if TYPE_CHECKING:
    from deploy.database.migrations.recorded import Row


class State(StrEnum):
    """What a migration, or a row, is."""

    APPLIED = "applied"
    PENDING = "pending"
    EDITED = "applied, and edited since"
    SKIPPED = "out of order: not applied, and older than what is"
    AGAIN = "applied, and Drizzle would run it again"
    TWICE = "applied twice"
    ORPHAN = "applied, and not in the image"
    FORMAT = "older than the database's table of migrations"


@dataclass(frozen=True)
class Judged:
    """One migration, or rows that have none, and its state.

    `path` is the file within the folder, or what the row calls it. `silently` says what Drizzle's
    own migrator would have done without a word, `mend` what to do; both are empty for what is
    applied or pending.
    """

    path: str
    state: State
    migration: Migration | None = None
    rows: tuple[Row, ...] = ()
    silently: str = ""
    mend: str = ""

    @property
    def sound(self) -> bool:
        """Whether it is as it should be."""
        return self.state in {State.APPLIED, State.PENDING}


@dataclass(frozen=True)
class Standing:
    """How a folder and a database stand to each other.

    `judged` has the folder's migrations in their order, then what only the database has. `names` is
    row's id → name for a v0 table that a v1 folder meets: what Drizzle writes when it lifts the
    table to its own format; empty where there is nothing to lift.
    """

    format: Format
    judged: tuple[Judged, ...]
    names: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def pending(self) -> list[Migration]:
        """What is to be applied, in order."""
        return [
            one.migration for one in self.judged if one.migration and one.state is State.PENDING
        ]

    @property
    def wrong(self) -> list[Judged]:
        """What is neither applied nor pending."""
        return [one for one in self.judged if not one.sound]


def fit(standing: Standing) -> list[Migration]:
    """Return what is pending, if everything else is applied.

    Raises:
        Refused: something is neither applied nor pending; one fault for each.
    """
    if standing.wrong:
        faults = tuple(
            Fault(one.path, "", f"{one.state}. {one.silently}", one.mend) for one in standing.wrong
        )
        raise Refused("the image's migrations and the database do not fit together", faults=faults)
    return standing.pending


def hold_back(
    form: Format, todo: Sequence[Migration], held: Callable[[Migration], bool]
) -> tuple[list[Migration], list[Migration]]:
    """Split what is pending into what is applied now and what is held back until later.

    Args:
        form: the folder's.
        todo: what is pending, in the folder's order.
        held: whether a migration waits until no host runs the version that it would break.

    Raises:
        Refused: in a v0 folder a newer file would pass one that is held back. Drizzle 0.x looks at
            the newest row alone, and would never apply the one that was passed.
    """
    now = [one for one in todo if not held(one)]
    later = [one for one in todo if held(one)]
    faults = []
    for one in now if form is Format.V0 else []:
        passed = next((other for other in later if other.when <= one.when), None)
        if passed:
            faults.append(
                Fault(
                    one.path,
                    "",
                    f"newer than {passed.path}, which is held back as a contract file: Drizzle 0.x "
                    f"would never apply {passed.path} once this one is applied",
                    "deploy the contract file in a release before this one, or mark this one as "
                    "a contract file too",
                )
            )
    if faults:
        raise Refused("a migration would pass one that is held back", faults=tuple(faults))
    return now, later

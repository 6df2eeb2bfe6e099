"""Who looks on while the applier works: it puts the measurements around each file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.database.measure import watch
from deploy.database.migrations.script import Looks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.database.measure.watch import Measured


@dataclass
class Measurements:
    """An `Observer` of the applier; afterwards `taken` has what was measured.

    Of a file that failed nothing is known: its session printed nothing to its end. `then` is SQL
    behind all else, whose lines are the last in `printed`.
    """

    then: str = ""
    _printed: list[str] = field(default_factory=list)

    def looks(self, path: str, *, transaction: bool) -> Looks:
        """The queries around one file."""
        return Looks(
            begin=watch.begin_sql(path, transaction=transaction),
            between=watch.between_sql(),
            end=watch.before_commit_sql(),
            after=watch.after_sql() + self.then,
        )

    def hear(self, printed: str) -> None:
        """Keep what a session has printed."""
        self._printed.append(printed)

    @property
    def printed(self) -> str:
        """All that was printed."""
        return "\n".join(self._printed)

    def taken(self, *, ignore: Iterable[str]) -> list[Measured]:
        """Return what was measured of each file, in their order.

        Args:
            ignore: the migrator's own tables; see `deploy.database.measure.watch.parse`.
        """
        return watch.parse(self.printed, ignore=ignore)

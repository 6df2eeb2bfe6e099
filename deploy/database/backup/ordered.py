"""A restore that one person has ordered, and that another one approves by doing it. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from deploy.errors import Fault, Refused, UsageError

if TYPE_CHECKING:
    from deploy.database.backup.manifest import Manifest

SCHEMA = 1


@dataclass(frozen=True)
class RestoreOrder:
    """Which backup of which environment's database, ordered by whom; `at`, `sha256`: its own."""

    by: str
    app: str
    environment: str
    backup: str
    database: str
    at: str
    sha256: str

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps({"headway_restore": SCHEMA, **asdict(self)}, indent=2) + "\n"


def ordered(by: str, app: str, environment: str, one: Manifest, database: str) -> RestoreOrder:
    """The order of a backup that has been looked at; `database` is what it would replace."""
    at = f"{one.at:%Y-%m-%dT%H:%M:%SZ}"
    return RestoreOrder(by, app, environment, one.name, database, at, one.sha256)


def read(text: str) -> RestoreOrder:
    """Read what `RestoreOrder.to_json` wrote.

    Raises:
        UsageError: it is no such order.
    """
    try:
        body = dict(json.loads(text))
        if body.pop("headway_restore") == SCHEMA:
            found = RestoreOrder(**body)
            if all(isinstance(value, str) for value in body.values()):
                return found
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    raise UsageError(
        "that is no order of a restore",
        state="Nothing has been changed.",
        mend="inv restore.ENVIRONMENT BACKUP --out FILE writes one.",
    )


def hold(then: RestoreOrder, now: RestoreOrder) -> None:
    """Do nothing unless the order is of what would be done now.

    Raises:
        Refused: it is not; every difference is named.
    """
    was, is_ = asdict(then), asdict(now)
    faults = [
        Fault(key, "", f"{was[key]} was ordered, and it is {is_[key]}")
        for key in was
        if key != "by" and was[key] != is_[key]
    ]
    if faults:
        raise Refused(
            "this is not what was ordered any more",
            faults=tuple(faults),
            mend=f"Order it again: inv restore.{now.environment} BACKUP --out FILE",
        )

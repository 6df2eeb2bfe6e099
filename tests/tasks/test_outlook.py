"""What is said of the database before a deploy where nothing can be said."""

from __future__ import annotations

from deploy.database.command.foreseen import unforeseen
from deploy.tasks.outlook import PUSH, as_dict, lines, with_sql


def test_a_push_is_told_as_what_it_is() -> None:
    outlook = unforeseen(None)
    assert lines(outlook) == [PUSH]
    assert with_sql(outlook) == [PUSH]
    assert as_dict(outlook) == {"push": True, "states": [], "pending": [], "findings": []}

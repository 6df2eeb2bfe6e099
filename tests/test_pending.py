"""Whether there is a database to look at: before a first deploy, and when it is stopped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from deploy.errors import Refused
from deploy.facts import Container, HostFacts
from deploy.pending import database_of
from deploy.remote.fake import FakeHost
from deploy.remote.host import Result


def situation(state: str = "", release: str = "", **database: Any) -> Any:
    """A project whose database is the service `database` on db-1, in that state ("" for none)."""
    box = Container("0123456789abcdef", "database", state, "", 0, "", "postgres:17", "h", "")
    facts = HostFacts(release=release, containers=(box,) if state else ())
    section = {"service": "database", "host": "db-1", "url": None} | database
    return SimpleNamespace(
        environment=SimpleNamespace(
            name="production", app="shop", path="/srv/shop", database=SimpleNamespace(**section)
        ),
        facts={"db-1": facts},
        hosts={"db-1": FakeHost("db-1", lambda _call: Result(0, b"", b"", 0))},
    )


def test_one_that_runs_is_looked_at() -> None:
    for release in ("", "v1-0a1b2c3d"):
        found = database_of(situation("running", release))
        assert found is not None
        assert found.settings["service"] == "database"


def test_before_its_first_deploy_there_is_none() -> None:
    assert database_of(situation()) is None


@pytest.mark.parametrize(
    ("state", "release", "typed"),
    [
        ("exited", "v1-0a1b2c3d", "On db-1, in /srv/shop: docker start 0123456789ab"),
        ("created", "", "On db-1, in /srv/shop: docker start 0123456789ab"),
        ("", "v1-0a1b2c3d", "On db-1, in /srv/shop: docker compose up -d database"),
    ],
)
def test_one_that_was_there_and_does_not_run_is_refused(
    state: str, release: str, typed: str
) -> None:
    with pytest.raises(Refused, match="db-1: database does not run") as caught:
        database_of(situation(state, release))
    assert caught.value.mend == typed


def test_an_environment_without_one() -> None:
    one = situation()
    one.environment.database = None
    assert database_of(one) is None

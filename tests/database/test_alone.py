"""The running version on a copy: what Compose is given for it, and what its answers are worth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deploy.database.rehearsal.alone import Alone, NotAlone, alone, moved
from deploy.database.rehearsal.answers import Answers, Lived, compare, hold, unasked
from deploy.database.rehearsal.rehearsed import Rehearsed
from deploy.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

URL = "postgresql://web:s3cr%24t@db.internal:6432/shop?sslmode=require&options=-c%20x"
THERE = "postgresql://web:s3cr%24t@127.0.0.1:5432/shop_copy?options=-c%20x"


def described(**more: Any) -> dict[str, Any]:
    """What `docker compose config --format json` says of a service."""
    web = {
        "image": "ghcr.io/acme/shop:latest",
        "command": ["node", "server.js"],
        "environment": {"DATABASE_URL": URL, "KEY": "a$$b", "EMPTY": None},
        "healthcheck": {"test": ["CMD", "true"]},
        "user": "1000",
        "networks": {"default": None},
        "ports": [{"target": 3000, "published": "80"}],
        "volumes": [{"type": "volume", "source": "uploads", "target": "/uploads"}],
        "depends_on": {"database": {"condition": "service_healthy"}},
        "restart": "unless-stopped",
        "privileged": True,
        "deploy": {"resources": {"limits": {"memory": "300000000"}}},
        "logging": {"driver": "syslog"},
    }
    return {"name": "shop", "services": {"web": web | more, "database": {}}}


def given(said: Mapping[str, Any], variable: str = "DATABASE_URL") -> Alone:
    return alone(
        said,
        "web",
        image="ghcr.io/acme/shop@sha256:0",
        variable=variable,
        database="shop_copy",
        box="headway-rehearsal-1",
        memory=100_000_000,
    )


# --- what Compose is given -----------------------------------------------------------------------


def test_it_starts_as_ever_and_reaches_the_server_and_nothing_else() -> None:
    found = given(described())
    assert found.compose == {
        "services": {
            "web": {
                "command": ["node", "server.js"],
                "environment": {"DATABASE_URL": THERE, "KEY": "a$$b", "EMPTY": None},
                "healthcheck": {"test": ["CMD", "true"]},
                "user": "1000",
                "image": "ghcr.io/acme/shop@sha256:0",
                "pull_policy": "never",
                "network_mode": "container:headway-rehearsal-1",
                "restart": "no",
                "mem_limit": "100000000",
                "memswap_limit": "100000000",
                "pids_limit": 512,
                "cpu_shares": 256,
                "oom_score_adj": 900,
                "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "1"}},
            }
        }
    }
    assert (found.user, found.secrets) == ("web", (URL, THERE, "s3cr$t"))
    assert "s3cr" not in repr(found)


def test_its_own_secrets_and_configs_come_along() -> None:
    said = described(secrets=[{"source": "key", "target": "/run/secrets/key"}])
    said["secrets"] = {"key": {"environment": "KEY"}, "other": {"file": "/etc/shadow"}}
    assert given(said).compose["secrets"] == {"key": {"environment": "KEY"}}


def test_a_dollar_is_two_for_compose() -> None:
    said = described(environment={"DATABASE_URL": "postgres://web:a$$b@db/shop"})
    found = given(said)
    url = found.compose["services"]["web"]["environment"]["DATABASE_URL"]
    assert url == "postgres://web:a$$b@127.0.0.1:5432/shop_copy"
    assert found.secrets[-1] == "a$b"


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("postgres://db/shop", "postgres://127.0.0.1:5432/a%20b"),
        ("postgres://web@db", "postgres://web@127.0.0.1:5432/a%20b"),
        (
            "postgresql+asyncpg://u:p@[::1]:1,b:2/shop?ssl=true&host=/run&schema=x",
            "postgresql+asyncpg://u:p@127.0.0.1:5432/a%20b?schema=x",
        ),
        (
            "jdbc:postgresql://db/shop?user=u&sslMode=require",
            "jdbc:postgresql://127.0.0.1:5432/a%20b?user=u",
        ),
        ("postgres://u:p@w@db/shop?", "postgres://u:p@w@127.0.0.1:5432/a%20b"),
    ],
)
def test_a_url_leads_to_the_server(url: str, there: str) -> None:
    assert moved(url, "URL", "a b") == there


@pytest.mark.parametrize(
    ("said", "variable", "why"),
    [
        ({}, "DATABASE_URL", "the release's compose file has no service web"),
        (described(environment=None), "DATABASE_URL", "web has no variable DATABASE_URL in"),
        (described(), "EMPTY", "web has no variable EMPTY in"),
        (described(), "KEY", "^KEY is no URL of PostgreSQL$"),
    ],
)
def test_what_cannot_be_started_alone(said: dict[str, Any], variable: str, why: str) -> None:
    with pytest.raises(NotAlone, match=why):
        given(said, variable)


# --- what its answers are worth ------------------------------------------------------------------

WELL = Answers({"/healthz": "", "login": ""}, said="ready\n")
ILL = "answered 500, expected 2xx (500 no column mail)"


def test_what_is_well_both_times() -> None:
    found = compare(WELL, WELL)
    assert found == Lived(("start", "/healthz", "login"), said="ready\n")
    hold(found)
    (line,) = found.lines()
    assert line.endswith("on the migrated schema, is well: start, /healthz, login")
    whole = Rehearsed((), contract=(), lived=found)
    assert whole.summary.endswith("can live with it; started on it, the running version is well")
    assert whole.lines()[-1] == line
    assert whole.figures()["started"]["answered"] == ["start", "/healthz", "login"]
    assert json.loads(json.dumps(whole.body()))["lived"]["broken"] == {}


def test_what_was_well_and_is_not() -> None:
    after = Answers({"/healthz": "", "login": ILL}, said="".join(f"{n}\n" for n in range(20)))
    found = compare(WELL, after)
    assert (found.answered, found.broken) == (("start", "/healthz"), {"login": ILL})
    assert f"is not well: login: {ILL}" in found.lines()[1]
    with pytest.raises(Refused, match="is not well on what is pending") as caught:
        hold(found)
    error = caught.value
    assert error.exit_code == 3
    assert [(one.where, one.message) for one in error.faults] == [("login", ILL)]
    assert error.state == (
        "Its last lines:\n"
        + "\n".join(str(n) for n in range(5, 20))
        + "\nNothing has been changed."
    )
    assert "is well" not in Rehearsed((), lived=found).summary


def test_one_that_does_not_become_ready_any_more() -> None:
    found = compare(WELL, Answers(unready="web ended with exit code 1 (status exited)"))
    with pytest.raises(Refused) as caught:
        hold(found)
    assert str(caught.value).splitlines()[1].strip() == (
        "start  web ended with exit code 1 (status exited)"
    )
    assert caught.value.state == "Nothing has been changed."


def test_what_was_not_well_before_says_nothing() -> None:
    found = compare(Answers({"/": "", "login": "answered 401"}), Answers({"/": "", "login": ILL}))
    hold(found)
    assert found.answered == ("start", "/")
    assert found.untried == ("login: answered 401, before the migrations as well",)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (unasked(Answers(untried="no bash", said="x")), "no bash: x"),
        (
            unasked(Answers(unready="web is unhealthy", said="1\nno Redis at 127.0.0.1\n")),
            "web is unhealthy, before the migrations as well: no Redis at 127.0.0.1",
        ),
        (compare(WELL, Answers(untried="the host has no memory")), "the host has no memory"),
    ],
)
def test_one_that_could_not_be_tried(found: Lived, why: str) -> None:
    hold(found)
    assert (found.untried, found.answered, found.lines()) == ((why,), (), [])

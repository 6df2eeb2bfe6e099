"""URLs as people and platforms write them."""

from __future__ import annotations

import pytest

from deploy.database.url import BUNDLE, variables
from deploy.errors import UsageError

GOOD = {
    "all of it": (
        "postgresql://shop:secret@db.example:6543/shop?sslmode=require",
        {
            "PGUSER": "shop",
            "PGPASSWORD": "secret",
            "PGHOST": "db.example",
            "PGPORT": "6543",
            "PGDATABASE": "shop",
            "PGSSLMODE": "require",
        },
    ),
    "the short scheme, no password, no port": (
        "postgres://shop@db/shop",
        {"PGUSER": "shop", "PGHOST": "db", "PGDATABASE": "shop"},
    ),
    "percent-encoded": (
        "postgres://a%40b:p%2Fw%3A%25%20x@db/my%20shop",
        {"PGUSER": "a@b", "PGPASSWORD": "p/w:% x", "PGHOST": "db", "PGDATABASE": "my shop"},
    ),
    "a colon and an @ in the password": (
        "postgres://a:b:c@d@db/x",
        {"PGUSER": "a", "PGPASSWORD": "b:c@d", "PGHOST": "db", "PGDATABASE": "x"},
    ),
    "IPv6": (
        "postgres://a:b@[2001:db8::1]:5433/x",
        {
            "PGUSER": "a",
            "PGPASSWORD": "b",
            "PGHOST": "2001:db8::1",
            "PGPORT": "5433",
            "PGDATABASE": "x",
        },
    ),
    "several hosts": (
        "postgres://a@one:1,two:2/x?target_session_attrs=read-write",
        {
            "PGUSER": "a",
            "PGHOST": "one,two",
            "PGPORT": "1,2",
            "PGDATABASE": "x",
            "PGTARGETSESSIONATTRS": "read-write",
        },
    ),
    "options": (
        "postgres://a@h/x?options=-c%20lock_timeout%3D5s",
        {"PGUSER": "a", "PGHOST": "h", "PGDATABASE": "x", "PGOPTIONS": "-c lock_timeout=5s"},
    ),
    "other drivers' parameters": (
        "postgres://a@h/x?schema=public&pgbouncer=false&ssl=true",
        {"PGUSER": "a", "PGHOST": "h", "PGDATABASE": "x", "PGSSLMODE": "require"},
    ),
    "node-postgres's own mode": (
        "postgres://a@h/x?sslmode=no-verify",
        {"PGUSER": "a", "PGHOST": "h", "PGDATABASE": "x", "PGSSLMODE": "require"},
    ),
    "verified, by the system's authorities": (
        "postgres://a@h/x?sslmode=verify-full",
        {
            "PGUSER": "a",
            "PGHOST": "h",
            "PGDATABASE": "x",
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": BUNDLE,
        },
    ),
    "a plus is a plus": (
        "postgres://a:b+c@h/x",
        {"PGUSER": "a", "PGPASSWORD": "b+c", "PGHOST": "h", "PGDATABASE": "x"},
    ),
}


CHECKED = "-c client_connection_check_interval=1000"


@pytest.mark.parametrize(("url", "expected"), GOOD.values(), ids=GOOD)
def test_what_a_url_says(url: str, expected: dict[str, str]) -> None:
    options = f"{CHECKED} {expected.get('PGOPTIONS', '')}".strip()
    assert variables(url, "DATABASE_URL") == expected | {"PGOPTIONS": options}


def test_a_pooler_takes_no_options() -> None:
    found = variables("postgres://a@h/x?pgbouncer=true&schema=public", "DATABASE_URL")
    assert found == {"PGUSER": "a", "PGHOST": "h", "PGDATABASE": "x"}
    given = variables("postgres://a@h/x?options=-c%20a%3Db&pgbouncer=true", "DATABASE_URL")
    assert given["PGOPTIONS"] == "-c a=b"


BAD = {
    "another database": ("mysql://a:hunter2@h/x", "does not begin with postgresql://"),
    "no scheme": ("a:hunter2@h/x", "does not begin with postgresql://"),
    "no host": ("postgres://a:hunter2@/x", "names no host"),
    "a port": ("postgres://a:hunter2@h:54x/x", "has a port that is no number"),
    "a bracket": ("postgres://a:hunter2@[::1/x", "has a bracket that is not closed in its host"),
    "a line": ("postgres://a:hunter2%0aPGHOST=x@h/x", "holds the end of a line or a NUL"),
    "nobody": ("postgres://h/", "names no database"),
}


@pytest.mark.parametrize(("url", "message"), BAD.values(), ids=BAD)
def test_what_is_none(url: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        variables(url, "DATABASE_URL")
    assert caught.value.message == f"the secret DATABASE_URL {message}"
    assert "hunter2" not in str(caught.value)

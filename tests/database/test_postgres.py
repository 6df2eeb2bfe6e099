"""A real PostgreSQL, asked by the psql in its container."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from deploy.database.access import PACKAGE, in_service
from deploy.database.migrations.folder import Format
from deploy.database.migrations.recorded import Recorded, Row, Table, recorded
from deploy.errors import CommandFailed, HostError
from deploy.remote.script import assemble
from tests.localhost import LocalHost

from .conftest import IMAGE, asked, docker, have

if TYPE_CHECKING:
    from deploy.database.access import Access

    from .shells import Near

pytestmark = pytest.mark.fleet

ODD = Table('odd "schema', "it's")


def test_no_table_is_no_rows(postgres: Near, service: Access) -> None:
    assert recorded(service) == Recorded(None, ())
    # Asking makes none.
    assert asked(postgres, "select to_regclass('drizzle.__drizzle_migrations') is null") == ["t"]


def test_the_table_of_drizzle_0(postgres: Near, service: Access) -> None:
    asked(
        postgres,
        f"""create schema "odd ""schema"; create table {ODD}
        (id serial primary key, hash text not null, created_at bigint)""",
    )
    try:
        assert recorded(service, ODD) == Recorded(Format.V0, ())
        insert = f"insert into {ODD} (hash, created_at) values "  # noqa: S608 - the test's own
        asked(postgres, f"{insert} ('b', 2), ('a', null)")
        rows = (Row("b", 2, None, 1), Row("a", None, None, 2))
        assert recorded(service, ODD) == Recorded(Format.V0, rows)
    finally:
        asked(postgres, 'drop schema "odd ""schema" cascade')


def test_the_table_of_drizzle_1(postgres: Near, service: Access) -> None:
    asked(
        postgres,
        """create schema drizzle; create table drizzle.__drizzle_migrations
        (id serial primary key, hash text not null, created_at bigint, name text,
        applied_at timestamp with time zone default now());
        insert into drizzle.__drizzle_migrations (hash, created_at, name)
        values ('a', 1767323045000, E'2026_\\n"ä'), ('b', 3, null)""",
    )
    rows = (Row("a", 1767323045000, '2026_\n"ä', 1), Row("b", 3, None, 2))
    assert recorded(service) == Recorded(Format.V1, rows)


def test_a_table_of_another_kind(postgres: Near, service: Access) -> None:
    asked(
        postgres,
        "create schema drizzle; create table drizzle.__drizzle_migrations as select 1 as id",
    )
    with pytest.raises(HostError, match="not one of Drizzle's"):
        recorded(service)


def test_no_such_service(service: Access) -> None:
    other = in_service(service.host, service.settings["project"], "elsewhere")
    with pytest.raises(CommandFailed) as caught:
        recorded(other)
    assert "the database could not be asked" in caught.value.reason
    assert "elsewhere does not run here" in caught.value.stderr


FOUND = {
    "Compose's own before one without the label": (["False", "", "True"], 0),
    "one that Compose did not make": (["", "True"], 0),
    "a command's own container is no service": (["True"], None),
}


@pytest.mark.parametrize(("labels", "wanted"), FOUND.values(), ids=FOUND)
def test_the_container_of_a_service(labels: list[str], wanted: int | None) -> None:
    project = f"headway-test-{secrets.token_hex(4)}"
    made = []
    try:
        for label in labels:
            oneoff = ["--label", f"com.docker.compose.oneoff={label}"] if label else []
            words = ["run", "--detach", "--label", f"com.docker.compose.project={project}"]
            words += ["--label", "com.docker.compose.service=database", *oneoff]
            made.append(docker(*words, "--entrypoint", "sleep", have(IMAGE), "60"))
        way = in_service(LocalHost("db-1"), project, "database")
        text = assemble(
            way.settings, [(PACKAGE, "access-container")], 'locate && echo "$container"'
        )
        done = way.host.exec(["sh", "-c", text], timeout=30)
        if wanted is None:
            assert (done.exit_code, done.stderr) == (1, b"database does not run here\n")
        else:
            assert made[wanted].startswith(done.text.strip())
            assert done.text.strip()
    finally:
        docker("rm", "--force", "--volumes", *made)

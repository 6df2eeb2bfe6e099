"""The ways to a database: in its container, and by a URL that nobody gets to see."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from deploy.database.access import Access, by_url, in_service
from deploy.database.backup.backups import Backups, Order
from deploy.errors import CommandFailed
from deploy.settings.secret import Secret
from tests.database.conftest import docker
from tests.localhost import LocalHost

from .conftest import CLIENT, PASSWORD, QUOTED, Heard, Server, asked

pytestmark = pytest.mark.fleet


def way_to(server: Server, way: str, database: str) -> Access:
    return server.access(database).far if way == "container" else server.url(database)


@pytest.mark.parametrize("way", ["container", "url"])
def test_sql_goes_in_and_comes_out(server: Server, way: str) -> None:
    access = way_to(server, way, "model")
    assert asked(access, "select current_database(), current_user") == ["model|shop"]
    # What psql itself understands works, and so do many lines and other alphabets.
    sql = "select 'ä€😀' as x \\gset\nselect :'x';\nselect count(*) from big;"
    assert asked(access, sql) == ["ä€😀", "200000"]


@pytest.mark.parametrize("way", ["container", "url"])
def test_the_first_error_ends_it(server: Server, way: str) -> None:
    access = way_to(server, way, "model")
    with pytest.raises(CommandFailed) as caught:
        access.psql("select 1;\nselect nothing;\nselect 2;", timeout=30, doing="it was not asked")
    assert caught.value.remote_exit_code == 3
    assert 'column "nothing" does not exist' in caught.value.stderr
    assert caught.value.mend == ""


def test_the_client_is_of_the_server_s_own_version(server: Server) -> None:
    access = server.url("model")
    assert asked(access, "\\echo :VERSION_NUM") == asked(access, "show server_version_num")


def test_no_such_service() -> None:
    with pytest.raises(CommandFailed) as caught:
        in_service(LocalHost("db-1"), "hw-none", "elsewhere").psql("x", timeout=9, doing="no")
    assert "elsewhere does not run here" in caught.value.stderr


WRONG = {
    "password": ("shop", "hunter2", "model", "password authentication failed"),
    "user": ("nobody", QUOTED, "model", "password authentication failed"),
    "database": ("shop", QUOTED, "nowhere", 'database "nowhere" does not exist'),
}


@pytest.mark.parametrize(("user", "password", "database", "said"), WRONG.values(), ids=WRONG)
def test_what_the_server_refuses_is_named_and_not_shown(
    server: Server, user: str, password: str, database: str, said: str
) -> None:
    text = f"postgresql://{user}:{password}@127.0.0.1:{server.port}/{database}"
    access = by_url(LocalHost("web-1"), Secret("DATABASE_URL", text), CLIENT)
    with pytest.raises(CommandFailed) as caught:
        access.psql("select 1", timeout=30, doing="the database could not be asked")
    assert said in str(caught.value)
    assert "the secret DATABASE_URL" in str(caught.value)
    for hidden in ("hunter2", PASSWORD, QUOTED):
        assert hidden not in str(caught.value)


@pytest.mark.parametrize("way", ["container", "url"])
def test_what_is_late_is_ended_in_the_server_too(server: Server, way: str) -> None:
    access = way_to(server, way, "model")
    asked(access, "select 1")  # the version is known, and the client is there
    with pytest.raises(CommandFailed):
        access.psql("select pg_sleep(60) /* late */", timeout=2, doing="late")
    left = "select count(*) from pg_stat_activity where query like '%/* late */%' and pid <> "
    deadline = time.monotonic() + 20
    while asked(server.access("model"), f"{left} pg_backend_pid()") != ["0"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


class Watch:
    """Reads every command line of this machine, and every client's container, while it goes."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.inspected: list[str] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=one) for one in (self._read, self._inspect)]

    def _read(self) -> None:
        while not self._done.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    self.seen.add(Path(f"/proc/{pid}/cmdline").read_bytes())
                except OSError:
                    continue
            time.sleep(0.01)  # the other thread needs the interpreter too

    def _inspect(self) -> None:
        while not self._done.is_set():
            words = ("ps", "-q", "--filter", "label=headway.client")
            for one in docker(*words).split():
                try:
                    self.inspected.append(docker("inspect", one))
                except AssertionError:
                    continue  # it has ended meanwhile
            time.sleep(0.05)

    def __enter__(self) -> Watch:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        for one in self._threads:
            one.join()


def test_the_url_is_in_no_command_line_and_in_no_container(
    server: Server, database: str, tmp_path: Path
) -> None:
    access = server.url(database)
    with Watch() as watch:
        asked(access, "select pg_sleep(1.5)")
        Backups(access, str(tmp_path), timeout=60).create(Order(), [], Heard())
    everything = b"\n".join(watch.seen) + "\n".join(watch.inspected).encode()
    # It was looking at the right moments.
    assert b"pg_dump\0-Fc" in everything
    assert any(b"\0psql" in one or one.startswith(b"psql\0") for one in watch.seen)
    assert any('"headway.client"' in one for one in watch.inspected)
    for hidden in (PASSWORD, QUOTED, f"127.0.0.1:{server.port}/"):
        assert hidden.encode() not in everything
    # And nothing of it stays on the host, nor a container.
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()
    for hidden in (PASSWORD, QUOTED):
        assert hidden not in repr(access)

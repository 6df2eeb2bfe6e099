"""The migrations folder taken out of real images."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Callable, Iterator

import pytest

from deploy.database.image import Pull, migrations_in
from deploy.errors import CommandFailed, Refused
from deploy.remote.fake import FakeHost
from deploy.remote.host import Result
from tests.localhost import LocalHost

from .conftest import docker

pytestmark = pytest.mark.fleet

JOURNAL = b'{"entries": [{"tag": "0000_a", "when": 1}]}'
FILES = {"meta/_journal.json": JOURNAL, "0000_a.sql": b"select 1", "0000_a.down.sql": b"select 0"}

FILES_1 = {
    "20260102030405_a/migration.sql": b"select 1",
    "20260102030405_a/down.sql": b"select 0",
    "20260102030405_a/snapshot.json": b"{}",
}

Build = Callable[..., str]


@pytest.fixture
def build() -> Iterator[Build]:
    """Makes images `FROM scratch`: `build(workdir, path=content, …)`."""
    made: list[str] = []

    def make(workdir: str, files: dict[str, bytes], more: str = "") -> str:
        image = f"headway-test-migrations:{secrets.token_hex(4)}"
        context = {f"root{path}": content for path, content in files.items()}
        context["Dockerfile"] = f"FROM scratch\nCOPY root/ /\nWORKDIR {workdir}\n{more}".encode()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, content in context.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        docker("build", "--quiet", "--tag", image, "-", stdin=packed.getvalue())
        made.append(image)
        return image

    yield make
    if made:
        docker("image", "rm", "--force", *made)


def under(folder: str, files: dict[str, bytes] = FILES) -> dict[str, bytes]:
    return {f"{folder}/{path}": content for path, content in files.items()}


PLACES = {
    "drizzle in the working directory": ("/app", "/app/drizzle", None),
    "the root is the working directory": ("/", "/drizzle", None),
    "found by what is in it": ("/app", "/srv/api/db/migrations", None),
    "named": ("/app", "/opt/migrations", "/opt/migrations"),
    "named with a slash": ("/app", "/opt/migrations", "/opt/migrations/"),
}


@pytest.mark.parametrize("files", [FILES, FILES_1], ids=["v0", "v1"])
@pytest.mark.parametrize(("workdir", "where", "named"), PLACES.values(), ids=PLACES.keys())
def test_found(
    build: Build, workdir: str, where: str, named: str | None, files: dict[str, bytes]
) -> None:
    image = build(workdir, {**under(where, files), "/bin/app": b"\0"})
    assert migrations_in(LocalHost(), image, named) == files


def test_several_are_not_chosen_from(build: Build) -> None:
    image = build("/app", {**under("/srv/a"), **under("/srv/b", FILES_1)})
    with pytest.raises(Refused) as caught:
        migrations_in(LocalHost(), image, None)
    assert caught.value.message == f"{image} has several migrations folders: /srv/a, /srv/b"
    assert "database.folder" in caught.value.mend
    assert migrations_in(LocalHost(), image, "/srv/b") == FILES_1


def test_a_folder_called_drizzle_without_migrations_is_not_meant(build: Build) -> None:
    image = build("/app", {"/app/drizzle/schema/x.ts": b"1", **under("/srv/a")})
    assert migrations_in(LocalHost(), image, None) == FILES


def test_the_working_directory_comes_before_others(build: Build) -> None:
    other = {path: content + b" " for path, content in under("/a/drizzle").items()}
    image = build("/srv/app", {**other, **under("/srv/app/drizzle")})
    assert migrations_in(LocalHost(), image, None) == FILES


def test_what_a_package_brings_is_not_ours(build: Build) -> None:
    image = build("/app", under("/app/node_modules/some-package/drizzle"))
    with pytest.raises(Refused, match="has no migrations folder"):
        migrations_in(LocalHost(), image, None)


def test_none(build: Build) -> None:
    image = build("/app", {"/app/server.js": b"1"})
    with pytest.raises(Refused) as caught:
        migrations_in(LocalHost(), image, None)
    assert caught.value.message.startswith(f"{image} has no migrations folder (none with a meta/")
    assert "TIMESTAMP_NAME/migration.sql" in caught.value.message
    assert "database.folder" in caught.value.mend


def test_the_folder_that_is_named_is_not_there(build: Build) -> None:
    image = build("/app", under("/app/drizzle"))
    with pytest.raises(Refused) as caught:
        migrations_in(LocalHost(), image, "/app/migrations")
    assert caught.value.message == f"{image} has no folder /app/migrations"
    assert "database.folder" in caught.value.mend


def test_an_image_with_an_entry_point_is_not_run(build: Build) -> None:
    image = build("/app", under("/app/drizzle"), 'ENTRYPOINT ["/no/such/program"]\n')
    assert migrations_in(LocalHost(), image, None) == FILES


def test_no_container_is_left(build: Build) -> None:
    image = build("/app", under("/app/drizzle"))
    empty = build("/app", {"/x": b""})
    migrations_in(LocalHost(), image, None)
    with pytest.raises(Refused):
        migrations_in(LocalHost(), empty, None)
    for one in (image, empty):
        assert docker("ps", "--all", "--quiet", "--filter", f"ancestor={one}") == ""


def test_an_image_that_is_not_there() -> None:
    with pytest.raises(CommandFailed, match="migrations of localhost:1/none:1 could not be read"):
        migrations_in(LocalHost(), "localhost:1/none:1", None)


def test_a_hostile_name_is_a_name() -> None:
    with pytest.raises(CommandFailed) as caught:
        migrations_in(LocalHost(), "$(touch /tmp/headway-hostile)", "'; exit 0; '")
    assert "invalid reference format" in caught.value.stderr


SETTINGS = {"dir": "/nowhere", "registry": "registry.example", "registry_user": "acme"}


def test_an_image_that_is_not_there_is_pulled_first_or_refused() -> None:
    nowhere = Pull(SETTINGS | {"registry": "", "registry_user": ""}, 0, "")
    with pytest.raises(Refused, match="the image could not be pulled") as caught:
        migrations_in(LocalHost("web-1"), "localhost:1/none:v1", None, nowhere)
    assert "could not pull localhost:1/none:v1" in caught.value.state


def test_the_password_of_the_registry_goes_by_standard_input_alone() -> None:
    host = FakeHost("web-1", lambda _call: Result(6, b"", b"no", 0))
    with pytest.raises(Refused):
        migrations_in(host, "registry.example/shop:v1", None, Pull(SETTINGS, 0, "hunter2"))
    (call,) = host.calls
    assert call.stdin == b"hunter2\n"
    assert "hunter2" not in " ".join(call.argv)
    assert "hunter2" not in repr(Pull(SETTINGS, 0, "hunter2"))


def test_a_look_does_not_fill_a_disk() -> None:
    with pytest.raises(Refused, match="could not be pulled") as caught:
        migrations_in(LocalHost("web-1"), "localhost:1/none:v1", None, Pull(SETTINGS, 1 << 50, ""))
    assert caught.value.state.endswith("MB free")

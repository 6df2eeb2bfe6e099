"""The migrations folder of an image, taken out on a host that has the image."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.errors import Refused
from deploy.remote.host import Host, checked
from deploy.remote.script import assemble

LOOK = """
folders() {
	sed -n 's|/meta/_journal\\.json$||p; s|/[0-9]\\{14\\}[^/]*/migration\\.sql$||p' | sort -u
}
id=$(docker create "$1" none) || exit 1
trap 'docker rm -f -v "$id" >/dev/null' EXIT
folder=$2
if [ -z "$folder" ]; then
	home=$(docker image inspect -f '{{.Config.WorkingDir}}' "$1")
	folder=${home%/}/drizzle
	here=$(docker cp "$id:$folder" - 2>/dev/null | tar -tf - 2>/dev/null | folders)
	if ! printf '%s\\n' "$here" | grep -qx drizzle; then
		found=$(docker export "$id" | tar -tf - | grep -v node_modules/ | folders)
		[ -n "$found" ] || exit 3
		[ "$(printf '%s\\n' "$found" | wc -l)" = 1 ] || { printf '%s\\n' "$found" >&2; exit 5; }
		folder=/$found
	fi
fi
docker cp "$id:$folder" - || exit 4
"""
_PULL = """
IFS= read -r password || :
free=$({ df -Pk /var/lib/docker 2>/dev/null || df -Pk /var/lib; } | awk 'NR == 2 { print $4 }')
[ "$free" -ge "$least_kb" ] || { echo "less than $((least_kb / 1024)) MB free" >&2; exit 6; }
( pull "$password" "$1" || { printf '%s\\n%s\\n' "$reason" "$detail" >&2; exit 1; } ) >&2 || exit 6
"""
"""In a shell of its own, at whose end the login to the registry goes."""
PULLING = (("deploy.remote", "lib"), ("deploy.remote", "prepare"))
PULL_AND_LOOK = _PULL + LOOK
_NOT_PULLED = 6
_READ = 120.0
"""Seconds in which a folder of some megabytes is taken out of an image."""
_PULLED = 900.0
"""Seconds for the image: 1 GB at about 10 Mbit/s."""
_NONE = 3
_NOT_THERE = 4
_SEVERAL = 5


@dataclass(frozen=True)
class Pull:
    """How a host that lacks an image pulls it: an arrow's settings, and the registry's password.

    Not with less than `least_kb` kilobytes free: a look must not be what fills a host's disk.
    """

    settings: Mapping[str, str]
    least_kb: int
    password: str = field(repr=False)


def migrations_in(
    host: Host, image: str, folder: str | None, pull: Pull | None = None
) -> dict[str, bytes]:
    """Return path → content of the migrations folder of an image.

    Args:
        host: a host with the image, or, with `pull`, any.
        image: its name.
        folder: where it is in the image; None: found by its journal (Drizzle 0.x) or its
            `TIMESTAMP_x/migration.sql` (Drizzle 1), first in `drizzle/` of the working directory.
        pull: pull the image first; in the same exec, since each is a round trip.

    Raises:
        Refused: the image has no such folder, or several, or it can't be pulled.
        HostError: the host did not do it.
    """
    script, stdin, timeout = LOOK, b"", _READ
    if pull:
        settings = {**pull.settings, "least_kb": str(pull.least_kb)}
        script = assemble(settings, PULLING, PULL_AND_LOOK)
        stdin, timeout = f"{pull.password}\n".encode(), _READ + _PULLED
    argv = ["sh", "-c", script, "headway-migrations", image, folder or ""]
    result = host.exec(argv, stdin=stdin, timeout=timeout)
    if result.exit_code == _NOT_PULLED:
        said = result.stderr.decode("utf-8", "replace").strip()
        raise Refused(f"{host.name}: the image could not be pulled", state=said)
    if result.exit_code == _NONE:
        raise Refused(
            f"{image} has no migrations folder (none with a meta/_journal.json, nor with a "
            "TIMESTAMP_NAME/migration.sql)",
            mend="Name it under database.folder, or say migrations: null.",
        )
    if result.exit_code == _SEVERAL:
        found = result.stderr.decode("utf-8", "replace").split("\n")
        raise Refused(
            f"{image} has several migrations folders: "
            + ", ".join(f"/{one}" for one in found if one),
            mend="Name the one that is meant under database.folder.",
        )
    if result.exit_code == _NOT_THERE:
        raise Refused(
            f"{image} has no folder {folder}",
            state=result.stderr.decode("utf-8", "replace").strip(),
            mend="Mend database.folder, or leave it out: it is found by what is in it.",
        )
    checked(host, f"the migrations of {image} could not be read", result)
    files = {}
    with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                files[member.name.partition("/")[2]] = content.read()
    return files

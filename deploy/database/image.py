"""The migrations folder of an image, taken out on a host that has the image."""

from __future__ import annotations

import io
import tarfile

from deploy.errors import Refused
from deploy.remote.host import Host, checked

_SCRIPT = """
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
_NONE = 3
_NOT_THERE = 4
_SEVERAL = 5


def migrations_in(host: Host, image: str, folder: str | None) -> dict[str, bytes]:
    """Return path → content of the migrations folder of an image that the host has pulled.

    Args:
        host: a host with the image.
        image: its name.
        folder: where it is in the image; None: found by its journal (Drizzle 0.x) or its
            `TIMESTAMP_x/migration.sql` (Drizzle 1), first in `drizzle/` of the working directory.

    Raises:
        Refused: the image has no such folder, or several.
        HostError: the host did not do it.
    """
    argv = ["sh", "-c", _SCRIPT, "headway-migrations", image, folder or ""]
    result = host.exec(argv, timeout=120)
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

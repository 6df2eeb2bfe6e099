"""The migrations folder of an image, taken out on a host that has the image."""

from __future__ import annotations

import io
import tarfile

from deploy.errors import Refused
from deploy.remote.host import Host, checked

_SCRIPT = """
id=$(docker create "$1" none) || exit 1
trap 'docker rm -f -v "$id" >/dev/null' EXIT
folder=$2
if [ -z "$folder" ]; then
	home=$(docker image inspect -f '{{.Config.WorkingDir}}' "$1")
	folder=${home%/}/drizzle
	if ! docker cp "$id:$folder/meta/_journal.json" - >/dev/null 2>&1; then
		found=$(docker export "$id" | tar -tf - | grep '/meta/_journal\\.json$' |
			grep -v node_modules/)
		[ -n "$found" ] || exit 3
		folder=/$(printf '%s\\n' "$found" | head -n 1)
		folder=${folder%/meta/_journal.json}
	fi
fi
docker cp "$id:$folder" - || exit 4
"""
_NONE = 3
_NOT_THERE = 4


def migrations_in(host: Host, image: str, folder: str | None) -> dict[str, bytes]:
    """Return path → content of the migrations folder of an image that the host has pulled.

    Args:
        host: a host with the image.
        image: its name.
        folder: where it is in the image; None: found by its journal, first in `drizzle/` of the
            working directory.

    Raises:
        Refused: the image has no such folder.
        HostError: the host did not do it.
    """
    argv = ["sh", "-c", _SCRIPT, "headway-migrations", image, folder or ""]
    result = host.exec(argv, timeout=120)
    if result.exit_code == _NONE:
        raise Refused(
            f"{image} has no migrations folder (none with a meta/_journal.json)",
            mend="Name it under database.folder, or say migrations: null.",
        )
    if result.exit_code == _NOT_THERE:
        raise Refused(
            f"{image} has no folder {folder}",
            state=result.stderr.decode("utf-8", "replace").strip(),
            mend="Mend database.folder, or leave it out: it is found by its journal.",
        )
    checked(host, f"the migrations of {image} could not be read", result)
    files = {}
    with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                files[member.name.partition("/")[2]] = content.read()
    return files

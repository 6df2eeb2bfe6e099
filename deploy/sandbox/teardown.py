"""What `down` removes, and how it finds it: by label, whatever an `up` had got to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from deploy.sandbox import base, images
from deploy.sandbox.machines import LABEL, REGISTRY

if TYPE_CHECKING:
    from deploy.sandbox.converge import Container
    from deploy.sandbox.docker import Docker


NAMED = "{{.ID}} {{.Repository}}:{{.Tag}}"
NAMELESS = "<none>:<none>"


def remove(docker: Docker, present: Iterable[Container], *, keep_registry: bool) -> None:
    """Remove containers, volumes and the network."""
    names = [container.name for container in present]
    if names:
        docker("rm", "--force", "--volumes", *names)
    volumes = docker.lines("volume", "ls", "--quiet", "--filter", f"label={LABEL}=1")
    volumes = [volume for volume in volumes if not (keep_registry and volume == "headway-registry")]
    if volumes:
        docker("volume", "rm", "--force", *volumes)
    networks = docker.lines("network", "ls", "--quiet", "--filter", f"label={LABEL}=1")
    if networks:
        docker("network", "rm", *networks)


def remove_images(docker: Docker) -> list[str]:
    """Remove the images that were built here, and the base image if it was made here.

    Returns:
        Those that stay, since a container that is not the sandbox's runs on them.
    """
    # An image of the user's, built on one of these, has the label as well: hence the names.
    mine = [f"reference={images.PREFIX}/*", f"reference={REGISTRY}/*", "dangling=true"]
    labelled = ("image", "ls", "--filter", f"label={images.IMAGE_LABEL}", "--filter")
    listed = [line for which in mine for line in docker.lines(*labelled, which, "--format", NAMED)]
    made = ("image", "ls", "--filter", f"label={base.MADE_LABEL}", "--format", NAMED)
    listed += [
        line
        for line in docker.lines(*made)
        if line.split(" ", 1)[1] in (base.BASE, images.OFFERED_BASE, NAMELESS)
    ]
    named = dict(line.split(" ", 1) for line in listed)
    # One by one, and by id: of a name Docker would take the tag away even where a container runs
    # on the image, and what lost its tag to a later build has no other name.
    return [
        name
        for identity, name in named.items()
        if not docker.works("image", "rm", "--force", identity, timeout=120)
    ]

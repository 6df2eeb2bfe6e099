"""What `down` removes, and how it finds it: by label, whatever an `up` had got to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from deploy.sandbox import base, images
from deploy.sandbox.machines import LABEL, REGISTRY

if TYPE_CHECKING:
    from deploy.sandbox.converge import Container
    from deploy.sandbox.docker import Docker


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
    # What lost its tag to a later build is known by its digest.
    form = '{{.Repository}}{{if eq .Tag "<none>"}}@{{.Digest}}{{else}}:{{.Tag}}{{end}}'
    ours = [f"reference={images.PREFIX}/*", f"reference={REGISTRY}/*"]
    listed = [
        name
        for reference in ours
        for name in docker.lines(
            "image",
            "ls",
            "--filter",
            f"label={images.IMAGE_LABEL}",
            "--filter",
            reference,
            "--format",
            form,
        )
    ]
    made = ("image", "ls", "--filter", f"label={base.MADE_LABEL}", "--format", form)
    listed += [name for name in docker.lines(*made) if name in (base.BASE, images.OFFERED_BASE)]
    # One by one: Docker refuses what a container runs on, and the others are to go all the same.
    return [
        name
        for name in dict.fromkeys(listed)
        if not docker.works("image", "rm", "--force", name, timeout=120)
    ]

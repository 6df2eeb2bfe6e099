"""`inv sandbox.*`: a fleet on this machine to try things on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.tasks.edge import verb

if TYPE_CHECKING:
    from invoke.context import Context


@verb(
    help={
        "hosts": "how many web hosts, 1 to 40",
        "port": "the edge's port on 127.0.0.1",
    },
)
def up(_c: Context, hosts: int = 3, port: int = 8080) -> None:
    """Bring the sandbox up, or to another size; what is right already is not touched."""
    from deploy.sandbox import fleet

    fleet.up(hosts, port, say=say)


@verb(
    help={"keep-images": "keep the images and what the registry holds, for a quick next `up`"},
)
def down(_c: Context, keep_images: bool = False) -> None:
    """Remove the sandbox: containers, volumes, network, images and .sandbox/."""
    from deploy.sandbox import fleet

    fleet.down(keep_images=keep_images, say=say)


@verb(
    help={
        "version": "its version, which is its tag as well",
        "behaviour": "what it does wrong, separated by commas: slow-start, never-healthy, "
        "late-unhealthy, crash-loop, error-500, deaf, abrupt; beside them bad-on=HOST",
    },
)
def release(_c: Context, version: str, behaviour: str = "") -> None:
    """Build the shop as a version and push it, so that it can be deployed."""
    from deploy.sandbox import release as releases

    releases.release(version, behaviour, say=say)


def say(text: str) -> None:
    """Print a line at once, as what follows may take a while."""
    print(text, flush=True)

"""`inv sandbox.*`: a fleet on this machine to try things on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.tasks.edge import show, verb

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
        "late-unhealthy, crash-loop, error-500, no-login, deaf, abrupt; beside them bad-on=HOST",
    },
)
def release(_c: Context, version: str, behaviour: str = "") -> None:
    """Build the shop as a version and push it, so that it can be deployed."""
    from deploy.sandbox import release as releases

    releases.release(version, behaviour, say=say)


@verb(
    name="break",
    help={
        "fault": "which one; with a name that there is not, they are all listed",
        "on": "the host: web-2; or slack, cloudflare, webhook, for which there are other faults",
        "mend": "put it right again",
    },
)
def break_(_c: Context, fault: str, on: str, mend: bool = False) -> None:
    """Do a fault to a host: its network, disk, memory, clock, Docker or registry."""
    from deploy.sandbox.breaking import break_host

    break_host(fault, on, mend=mend, say=say)


@verb(
    help={
        "json": "print it as JSON, a line for each",
        "last": "how many, the newest (20); 0: all",
    },
)
def told(_c: Context, json: bool = False, last: int = 20) -> None:
    """Say what the sandbox's Slack, Cloudflare and webhook were sent, the newest last."""
    from deploy.sandbox.outside.shown import as_json, shown
    from deploy.sandbox.outside.told import told as every

    found = every()[-last:]
    if json:
        print(*map(as_json, found), sep="\n")
    else:
        show(shown(found))


def say(text: str) -> None:
    """Print a line at once, as what follows may take a while."""
    print(text, flush=True)

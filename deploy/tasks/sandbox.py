"""`inv sandbox.*`: a fleet on this machine to try things on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from invoke.exceptions import Exit
from invoke.tasks import task

from deploy.errors import HeadwayError


def guarded(function: Callable[..., None]) -> Callable[..., None]:
    """Turn an error for people into Invoke's way of ending: the message, and its exit code."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except HeadwayError as error:
            raise Exit(str(error), code=error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            raise Exit("Stopped; the same command goes on from here.", code=130) from interrupt

    return wrapper


@task(
    auto_shortflags=False,
    help={
        "hosts": "how many web hosts, 1 to 40",
        "port": "the edge's port on 127.0.0.1",
    },
)
@guarded
def up(_c: Any, hosts: int = 3, port: int = 8080) -> None:
    """Bring the sandbox up, or to another size; what is right already is not touched."""
    from deploy.sandbox import fleet

    fleet.up(hosts, port, say=say)


@task(
    auto_shortflags=False,
    help={"keep-images": "keep the images and what the registry holds, for a quick next `up`"},
)
@guarded
def down(_c: Any, keep_images: bool = False) -> None:
    """Remove the sandbox: containers, volumes, network, images and .sandbox/."""
    from deploy.sandbox import fleet

    fleet.down(keep_images=keep_images, say=say)


@task(
    auto_shortflags=False,
    help={
        "version": "its version, which is its tag as well",
        "behaviour": "what it does wrong, separated by commas: slow-start, never-healthy, "
        "late-unhealthy, crash-loop, error-500, deaf, abrupt; beside them bad-on=HOST",
    },
)
@guarded
def release(_c: Any, version: str, behaviour: str = "") -> None:
    """Build the shop as a version and push it, so that it can be deployed."""
    from deploy.sandbox import release as releases

    releases.release(version, behaviour, say=say)


def say(text: str) -> None:
    """Print a line at once, as what follows may take a while."""
    print(text, flush=True)

"""What Slack, Cloudflare and the webhook were sent, as their server wrote it down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deploy.errors import UsageError
from deploy.sandbox import provide
from deploy.sandbox.outside.faults import CONTAINER

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker

Entry = dict[str, Any]
"""One request: `at` in seconds since the epoch; `to` which service; `what` it was asked; what it
`said`, and with which `status` (None: it did not answer); the `body`. Of Slack's messages also
`message`, by which an edit is told from another one; of Cloudflare the `zone`; of the webhook its
own `headers`, and the body as it came, `raw`."""


def told() -> list[Entry]:
    """All that has come, the newest last: since `up`, or the last 10 MB of it.

    Raises:
        UsageError: there is no sandbox with these.
    """
    docker = provide.running()
    if docker is None or not docker.works("container", "inspect", CONTAINER):
        raise UsageError("The sandbox's Slack is not up.", mend="inv sandbox.up")
    return entries(docker)


def entries(docker: Docker) -> list[Entry]:
    """The same, of that engine; a server that was stopped still has what it has written."""
    # Not by splitlines: JSON has line ends of Unicode's in its texts.
    lines = docker("logs", CONTAINER).split("\n")
    return [json.loads(line) for line in lines if line.startswith("{")]

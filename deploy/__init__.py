"""Headway: rolls a Docker Compose application over a team's own VPSs, with Invoke tasks.

A repository that uses it has a `tasks.py` of two lines:

    from deploy import namespace
    ns = namespace()

What the tasks do can be called from Python too: see `deploy.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from invoke.collection import Collection

__all__ = ["namespace"]


def namespace(root: Path | None = None) -> Collection:
    """Return the tasks, for `ns` in a `tasks.py`.

    Args:
        root: the folder that holds `hosts/`; None: the one in which the calling file lies.
    """
    from deploy.tasks import build, folder_of_caller

    return build(root or folder_of_caller())

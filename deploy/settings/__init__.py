"""What the user wrote, `hosts/*.yaml` and `.env` files, as typed and frozen values.

`environments` and `valid_tag` cost nothing to import, so `inv --list` can use them. Everything else
brings pydantic and PyYAML with it, and is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from deploy.settings.names import environments, valid_tag

if TYPE_CHECKING:
    from deploy.settings.database import Backup, Copy, Database, Rehearsal
    from deploy.settings.json_schema import schema
    from deploy.settings.loader import load
    from deploy.settings.model import Environment
    from deploy.settings.secret import Secret
    from deploy.settings.sections import (
        SSH,
        Gateway,
        HostEntry,
        Proxy,
        Registry,
        Rollout,
        Service,
        VersionProbe,
    )

__all__ = [
    "SSH",
    "Backup",
    "Copy",
    "Database",
    "Environment",
    "Gateway",
    "HostEntry",
    "Proxy",
    "Registry",
    "Rehearsal",
    "Rollout",
    "Secret",
    "Service",
    "VersionProbe",
    "environments",
    "load",
    "schema",
    "valid_tag",
]

_ELSEWHERE = {
    "Backup": "database",
    "Copy": "database",
    "Database": "database",
    "Environment": "model",
    "Rehearsal": "database",
    "Secret": "secret",
    "load": "loader",
    "schema": "json_schema",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{_ELSEWHERE.get(name, 'sections')}")
        return getattr(module, name)

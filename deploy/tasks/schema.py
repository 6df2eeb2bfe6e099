"""`inv schema`: the JSON Schema of a hosts file, for editors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deploy.tasks.edge import verb

if TYPE_CHECKING:
    from invoke.context import Context


@verb(help={})
def schema(_c: Context) -> None:
    """Print the JSON Schema of a hosts file, for editors."""
    from deploy.settings import schema as of_hosts_file

    print(json.dumps(of_hosts_file(), indent=2))

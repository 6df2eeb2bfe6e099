"""The sandbox's fleet for a project in a folder of its own, as the bench and the tests have one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deploy.sandbox.home import ROOT

TELLING = ("smoke", "notify", "cdn", "hooks")
"""What a deploy proves and tells once it is through: seconds of each, where that is not asked."""


def settings(**changes: Any) -> dict[str, Any]:
    """`hosts/sandbox.yaml` for any folder, without what only proves and tells, and with changes."""
    file = ROOT / "hosts" / "sandbox.yaml"
    body: dict[str, Any] = yaml.safe_load(file.read_text())
    body = {key: value for key, value in body.items() if key not in TELLING}
    body["compose"] = str(ROOT / body["compose"])
    for key in ("hosts", "dotenv", "url"):
        body[key] = str((file.parent / body[key]).resolve())
    body["ssh"] = {key: str((file.parent / one).resolve()) for key, one in body["ssh"].items()}
    return body | changes


def write(folder: Path, name: str, body: dict[str, Any]) -> None:
    """Write `tasks.py` and `hosts/NAME.yaml`, as somebody who uses Headway has them."""
    (folder / "hosts").mkdir(parents=True, exist_ok=True)
    (folder / "tasks.py").write_text("from deploy import namespace\nns = namespace()\n")
    (folder / "hosts" / f"{name}.yaml").write_text(yaml.safe_dump(body))

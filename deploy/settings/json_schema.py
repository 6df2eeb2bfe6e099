"""The JSON Schema of a hosts file, for editors."""

from __future__ import annotations

from typing import Any

from deploy.settings.model import HostsFile


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a `hosts/ENVIRONMENT.yaml`, ready for `json.dumps`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **HostsFile.model_json_schema(mode="validation"),
        "title": "Headway hosts file",
    }

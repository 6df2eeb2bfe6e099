"""Tells a runner of Actions which texts are secrets: `python -m deploy.redaction.masks FILE`.

The runner knows a secret as it was stored. One that holds a whole `.env` is known by that, and not
by each value in it, and what a later step prints would not be masked. The lines go to standard
output, which has to be the runner's own: a file or a pipe would hold every secret.
"""

from __future__ import annotations

import sys

from dotenv import dotenv_values

from deploy.redaction.forms import forms


def masks(values: dict[str, str | None]) -> list[str]:
    """The commands for all values, each once; escaped as the runner reads them back."""
    found = {form for value in values.values() if value for form in forms(value)}
    # Every line of a value is a form of its own, and what has two lines is none for a log.
    return [
        f"::add-mask::{one.replace('%', '%25')}"
        for one in sorted(found)
        if one.splitlines() == [one]
    ]


if __name__ == "__main__":
    print(*masks(dotenv_values(sys.argv[1], interpolate=False)), sep="\n")

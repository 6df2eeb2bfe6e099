"""The fleet of the fault suite is the one of `tests/fleet`, with its fixtures."""

from __future__ import annotations

from tests.faults.table import row_of_the_test  # noqa: F401
from tests.fleet.conftest import (  # noqa: F401 - pytest finds fixtures by their names here
    fleet,
    image,
    load,
    quick,
    release,
    settings_of_shop,
    shop,
    shop_with_rows,
)

"""Many cases of one test at the same time: most of a roll is waiting for Docker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

AT_ONCE = 4
"""Cases at a time. On two cores more of them would only make each other's deadlines tight."""


def some(
    request: pytest.FixtureRequest, cases: Iterable[tuple[Any, ...]]
) -> Sequence[tuple[Any, ...]]:
    """Every twelfth case, from the first one on; all of them with `--all`."""
    return list(cases)[:: 1 if request.config.getoption("--all") else 12]


def at_once(check: Callable[..., None], cases: Iterable[tuple[Any, ...]]) -> None:
    """Call `check(*case)` for every case, and fail with all the failures."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [(case, pool.submit(check, *case)) for case in cases]
    failures = []
    for case, future in running:
        failure = future.exception()
        if failure is not None:
            failure.add_note(f"in the case {case}")
            failures.append(failure)
    if failures:
        raise BaseExceptionGroup(f"{len(failures)} of {len(running)} cases failed", failures)

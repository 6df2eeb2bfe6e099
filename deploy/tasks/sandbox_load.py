"""`inv sandbox.load`: requests on the sandbox's edge, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.tasks.edge import verb

if TYPE_CHECKING:
    from invoke.context import Context


@verb(
    help={
        "url": "where to, on this machine only; without it, the edge",
        "rate": "requests per second, of all kinds together",
        "duration": "seconds",
        "websockets": "how many are held open",
        "out": "where the report goes as JSON",
    },
)
def load(
    _c: Context,
    url: str = "",
    rate: float = 100,
    duration: float = 60,
    websockets: int = 20,
    out: str = ".sandbox/load.json",
) -> None:
    """Send requests to the edge at a fixed rate, and count what failed and how."""
    from deploy.sandbox.home import Home
    from deploy.sandbox.load import Options, describe, run

    report = run(
        Options(url or Home().address(), rate=rate, duration=duration, websockets=websockets),
        say=lambda text: print(text, flush=True),
    )
    report.write(Path(out))
    print(describe(report))
    if report.failed:
        raise Exit(code=5)

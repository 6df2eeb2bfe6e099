"""What both commands of `script/bench` share: their options, and where the figures go."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from bench.table import placed
from deploy.errors import HeadwayError
from deploy.sandbox.home import ROOT


def options(name: str, description: str) -> argparse.ArgumentParser:
    """A parser with what may be typed behind both commands."""
    parser = argparse.ArgumentParser(name, description=description)
    parser.add_argument("--rounds", type=count, default=5, help="how many (5)")
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "docs" / "performance.md",
        help="the document that takes the figures, between its two markers (docs/performance.md)",
    )
    return parser


def count(text: str) -> int:
    """A number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def run(out: Path, markers: tuple[str, str], measured: Callable[[], str]) -> int:
    """Measure, and write the block down; the exit code is 0, or that of the error that ended it."""
    # What the measurement has started has to go then, too.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    try:
        # A document without its markers must not be found out after ten minutes.
        placed(out.read_text(), "", *markers)
        block = measured()
    except (OSError, ValueError) as error:
        print(f"script/bench: {error}", file=sys.stderr)
        return 2
    except HeadwayError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    out.write_text(placed(out.read_text(), block, *markers))
    print(f"\n{block}\n\nwritten to {out}")
    return 0


def say(text: str) -> None:
    """Print a line at once, as what follows may take a while."""
    print(text, flush=True)

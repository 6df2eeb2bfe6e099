"""The load as a command: `python -m deploy.sandbox.load --url http://127.0.0.1:8080`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import MISSING, fields
from pathlib import Path

from deploy.errors import HeadwayError
from deploy.sandbox.load.options import Options
from deploy.sandbox.load.process import READY, run
from deploy.sandbox.load.table import describe


def main() -> int:
    """Make the load; 0 whenever there is a report, whatever it says."""
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox.load", description=__doc__)
    for field in fields(Options):
        parser.add_argument(
            f"--{field.name}",
            type={"str": str, "float": float, "int": int}[str(field.type)],
            required=field.default is MISSING,
            default=None if field.default is MISSING else field.default,
        )
    parser.add_argument("--json", type=Path, help="write the report there instead of printing it")
    arguments = vars(parser.parse_args())
    path: Path | None = arguments.pop("json")
    try:
        report = run(
            Options(**arguments), ready=(lambda: print(READY, flush=True)) if path else None
        )
    except HeadwayError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130  # before the load had begun
    if path:
        report.write(path)
    else:
        print(describe(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())

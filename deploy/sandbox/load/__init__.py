"""An open-loop load on the sandbox's edge, and what it saw.

Requests start when they are due, whatever the answers do, so that a site which stands still is seen
as such instead of quietly getting less work. Three ways in:

- `run(options)` in this process, for `inv sandbox.load`; SIGINT and SIGTERM end it early;
- `running(url, rate=…)` around a piece of a test or a demonstration, in a process of its own so
  that neither disturbs the other's clock;
- `python -m deploy.sandbox.load --url … --json PATH`, which is what `running` starts.

`describe(report)` is the report for people, `report.write(path)` the one for programs.
"""

from deploy.sandbox.load.options import Kind, Options
from deploy.sandbox.load.process import Load, run, running
from deploy.sandbox.load.report import LoadReport
from deploy.sandbox.load.table import describe

__all__ = ["Kind", "Load", "LoadReport", "Options", "describe", "run", "running"]

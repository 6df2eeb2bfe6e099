"""What a visitor does in a browser; each journey in a process of its own, ended in time."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

from deploy.smoke import tree
from deploy.smoke.browse import Order
from deploy.smoke.browser import missing
from deploy.smoke.result import Outcome, Result

if TYPE_CHECKING:
    from deploy.redaction.redactor import Redactor
    from deploy.settings import Environment
    from deploy.smoke.way import Way

KEPT = ".smoke"
"""The folder in the repository that has what failed journeys have left, by run."""
RUNS = 10
"""As many of them are kept, the newest; a trace has some MB."""
_A_RUN = re.compile(r"d-\d{8}-\d{6}-[0-9a-f]{4}")


def files(folder: Path) -> list[Path]:
    """The journeys in a folder, by name; what begins with _ is for them to import."""
    return sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))


def wrong_with(file: Path) -> str:
    """Why a file can't be a journey, as far as can be seen without running it; "": nothing."""
    try:
        body = ast.parse(file.read_text(encoding="utf-8")).body
    except (SyntaxError, ValueError, OSError) as error:
        return f"can't be read: {error}"
    if any(isinstance(one, ast.FunctionDef) and one.name == "journey" for one in body):
        return ""
    return "has no function named journey"


def walk(
    file: Path,
    way: Way,
    environment: Environment,
    run: str,
    seconds: float,
    redactor: Redactor,
) -> Result:
    """Run one journey in a browser, `seconds` at most.

    What it leaves behind when it fails, a screenshot, a trace and the console's errors, is kept
    without secrets, below `KEPT`; of one that has to be ended, the console's errors and its output.
    """

    def result(outcome: Outcome, reason: str = "", kept: tuple[str, ...] = ()) -> Result:
        took = time.monotonic() - began
        return Result(file.stem, way.host, outcome, redactor.redact(reason), took, kept=kept)

    began = time.monotonic()
    lacking = missing(os.environ)
    if lacking:
        return result(Outcome.INCONCLUSIVE, "; ".join(lacking))
    # Browsers that are killed leave their profiles: those go with the folder.
    with tempfile.TemporaryDirectory(prefix="headway-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        order = _order(file, folder, way, environment, run, seconds)
        with (folder / "output.txt").open("wb") as output:
            code = _run(order, environment, output)
        outcome, reason = _came(folder, seconds, code)
        if outcome is Outcome.PASSED:
            return result(outcome)
        name = f"{file.stem}-{way.host}" if way.host else file.stem
        kept = _keep(folder, environment.root, f"{run}/{name}", redactor.redact)
        return result(outcome, reason, kept)


def _order(
    file: Path, folder: Path, way: Way, environment: Environment, run: str, seconds: float
) -> Order:
    smoke = environment.smoke
    names = smoke.secrets if smoke else []
    return Order(
        file=str(file),
        folder=str(folder),
        url=way.url,
        name=way.name,
        host=way.host,
        run=run,
        port=way.tunnel.port if way.tunnel else 0,
        tls=way.tls,
        seconds=seconds,
        secrets={name: environment.secret(name).reveal() for name in names},
    )


def _run(order: Order, environment: Environment, output: IO[bytes]) -> int | None:
    """The exit code, or None where it had to be ended; nothing of it is left either way."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy.smoke.browse"],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=_environ(os.environ, environment, order.folder),
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
            process.stdin.flush()
        return process.wait(order.seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.returncode is None:
            tree.end(process.pid)
            process.wait()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _environ(environ: Mapping[str, str], environment: Environment, folder: str) -> dict[str, str]:
    """This process's, without the environment's secrets: a browser is large, and not ours."""
    secrets = {one.name for one in environment.secret_values}
    kept = {name: value for name, value in environ.items() if name not in secrets}
    # -P: a folder `deploy` of the team's own is not ours. So where we are has to be said.
    own = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (own, kept.get("PYTHONPATH"))))
    return kept | {"PYTHONPATH": paths, "TMPDIR": folder}


def _came(folder: Path, seconds: float, code: int | None) -> tuple[Outcome, str]:
    file = folder / "result.json"
    if file.exists():
        found = json.loads(file.read_text())
        return Outcome(found["outcome"]), found["reason"]
    if code is None:
        return Outcome.FAILED, f"it did not end within {seconds:.0f} s, and was ended"
    said = (folder / "output.txt").read_text("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(said) if line.strip()), "nothing was said")
    return Outcome.INCONCLUSIVE, f"the browser's process ended with {code}: {last}"


def _keep(folder: Path, root: Path, name: str, redact: Callable[[str], str]) -> tuple[str, ...]:
    """Put what shows more where it stays, and return the paths from the root."""
    target = root / KEPT / name
    kept = []
    for file in ("screenshot.png", "trace.zip", "console.txt", "output.txt"):
        source = folder / file
        if not source.exists() or not source.stat().st_size:
            continue
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        (root / KEPT / ".gitignore").write_text("*\n")
        if file == "screenshot.png":
            shutil.copyfile(source, target / file)
        elif file == "trace.zip":
            _without_secrets(source, target / file, redact)
        else:
            (target / file).write_text(redact(source.read_text("utf-8", "replace")))
        kept.append(f"{KEPT}/{name}/{file}")
    if kept:
        _prune(root / KEPT)
    return tuple(kept)


def _prune(folder: Path) -> None:
    """Remove what the oldest runs have left; what has another name than a run is somebody's own."""
    # A run's name begins with its time.
    runs = sorted(one for one in folder.iterdir() if _A_RUN.fullmatch(one.name))
    for old in runs[:-RUNS]:
        shutil.rmtree(old, ignore_errors=True)


def _without_secrets(source: Path, target: Path, redact: Callable[[str], str]) -> None:
    """Copy a trace, which has everything that was typed and sent in it, without secrets."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            body = old.read(entry)
            with contextlib.suppress(UnicodeDecodeError):  # a picture
                body = redact(body.decode()).encode()
            new.writestr(entry.filename, body)

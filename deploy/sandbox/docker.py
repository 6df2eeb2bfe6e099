"""The Docker command line as a function: argv in, output out, one error for people."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import NeedsPerson

TAIL = 40
"""Lines of a failed command's output that are shown: enough for apt's or npm's whole complaint."""


class DockerFailed(NeedsPerson):
    """The Docker command line ended with an error; the message ends with what it said."""

    def __init__(self, argv: Sequence[str], exit_code: int, output: str, *, mend: str = "") -> None:
        lines = output.strip().splitlines()
        shown = "\n".join(f"  {line}" for line in lines[-TAIL:])
        super().__init__(
            f"docker {' '.join(argv[:3])}: exit code {exit_code}\n{shown}",
            state="The sandbox is as far as it got.",
            mend=mend
            or "`inv sandbox.up` goes on from here, `inv sandbox.down` clears everything.",
        )
        self.output = output


@dataclass(frozen=True)
class Docker:
    """One way to call Docker: `command` is the argv that comes first, such as `sudo -n docker`."""

    command: tuple[str, ...] = ("docker",)

    def __call__(self, *argv: str, stdin: bytes = b"", timeout: float = 600) -> str:
        """Run `docker argv...` to its end and return what it printed, without the last line end.

        Args:
            argv: the words after `docker`.
            stdin: sent whole.
            timeout: seconds. The default is for builds on a slow line.

        Raises:
            DockerFailed: its exit code was not 0, or it took longer than `timeout`.
        """
        try:
            done = subprocess.run(  # noqa: S603 - argv, no shell
                [*self.command, *argv],
                input=stdin,
                check=False,
                capture_output=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as expired:
            raise DockerFailed(argv, 124, f"no answer within {timeout:g} s") from expired
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            raise DockerFailed(argv, done.returncode, said)
        return done.stdout.decode("utf-8", "replace").rstrip("\n")

    def works(self, *argv: str, timeout: float = 30) -> bool:
        """Whether `docker argv...` ends with exit code 0."""
        try:
            self(*argv, timeout=timeout)
        except (DockerFailed, OSError):
            return False
        return True

    def lines(self, *argv: str) -> list[str]:
        """What `docker argv...` printed, as lines; no empty ones."""
        return [line for line in self(*argv).splitlines() if line]

    def logged_in(self, folder: Path) -> Docker:
        """The same command with `folder` as its configuration, where a login may stand."""
        return Docker((*self.command, "--config", str(folder)))

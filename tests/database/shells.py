"""Shells that are kept open in a container: `docker exec` costs as much as ten sessions of psql."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.database.access import Access
from deploy.remote.host import Result, checked

if TYPE_CHECKING:
    from collections.abc import Iterator

# A line says how long the command may take, and how many bytes it and its standard input have;
# then they come. The answer is a line with the exit code and two lengths, and then both outputs.
LOOP = """
folder=$(mktemp -d) && cd "$folder" || exit 1
while read -r limit command input; do
    text=$(head -c "$command")
    head -c "$input" >in || exit 1
    timeout -k 5 "$limit" sh -c "$text" <in >out 2>err
    code=$?
    set -- $(wc -c <out) $(wc -c <err)
    echo "$code $1 $2"
    cat out err
done
rm -rf "$folder"
"""
PSQL = """
export PGUSER="$POSTGRES_USER" PGDATABASE="${database:-$POSTGRES_USER}"
export PGPASSWORD="$POSTGRES_PASSWORD" PGAPPNAME=headway
export PGOPTIONS="-c client_connection_check_interval=1000"
exec psql -X -q -A -t -v ON_ERROR_STOP=1
"""


@dataclass
class Shells:
    """Runs commands in a container, each in a shell of its own; many at once."""

    container: str
    _free: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _all: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, command: str, stdin: bytes = b"", *, timeout: float = 60) -> Result:
        """Run a line of sh to its end; after `timeout` seconds it is killed, with exit code 124."""
        text = command.encode()
        began = time.monotonic()
        with self._one() as shell:
            assert shell.stdin
            assert shell.stdout
            limit = max(1, round(timeout))
            shell.stdin.write(b"%d %d %d\n" % (limit, len(text), len(stdin)) + text + stdin)
            shell.stdin.flush()
            head = shell.stdout.readline()
            assert head, f"{self.container} has gone"
            code, out, err = map(int, head.split())
            stdout, stderr = shell.stdout.read(out), shell.stdout.read(err)
        return Result(code, stdout, stderr, time.monotonic() - began)

    @contextlib.contextmanager
    def _one(self) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            shell = self._free.pop() if self._free else self._new()
        # One whose answer was not read to its end is used no more.
        yield shell
        self._free.append(shell)

    def _new(self) -> subprocess.Popen[bytes]:
        words = ["docker", "exec", "-i", self.container, "sh", "-c", LOOP]
        shell = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._all.append(shell)
        return shell

    def close(self) -> None:
        for shell in self._all:
            assert shell.stdin
            shell.stdin.close()
            shell.wait(30)


@dataclass(frozen=True)
class Near(Access):
    """The way to a container's database, whose psql runs in a shell that is already there.

    It is the same psql with the same variables as `access-container.sh` runs; scripts go the whole
    way through Docker.
    """

    shells: Shells = field(kw_only=True)

    def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
        command = f"database={shlex.quote(self.settings['database'])}\n{PSQL}"
        result = self.shells.run(command, sql.encode(), timeout=timeout)
        return checked(self.host, doing, result).text

    @property
    def far(self) -> Access:
        """The same, the whole way through Docker, as the product goes."""
        return Access(self.host, self.part, self.settings)

"""A host over SSH.

Everything that is done on a host goes through `SSHHost.exec`, which knows four outcomes: the
command ended with an exit code, it was never sent, it was ended at its deadline, or nobody knows.
The last is kept apart with care: what may have been done must be asked of the host, never assumed.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import paramiko

from deploy.errors import Gated, HeadwayError, OutcomeUnknown, TimedOut, Unreachable
from deploy.remote.exchange import Exchange
from deploy.remote.host import Result
from deploy.remote.link import Endpoint, Link, Login, open_link
from deploy.remote.pool import each
from deploy.version import VERSION

KILL_AFTER = 5.0
"""Seconds between SIGTERM at the deadline and SIGKILL."""
GRACE = 10.0
"""Seconds that the host is given, beyond that, to report that it ended the command."""
SLOT = 1.0
"""Seconds in which a refused session is asked for again.

sshd counts a session that has just ended until it next tidies up, so that a command right after
eight others can meet a full house.
"""
MAX_COMMAND = 128 * 1024 - 1 - len("SSH_ORIGINAL_COMMAND=")
"""Linux takes no longer single argument (MAX_ARG_STRLEN), and the login shell gets one; a forced
command gets it as a variable."""

_PROHIBITED = 1
"""SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1): by configuration, or by a line of
authorized_keys."""

GATED = 77
"""The exit code of `gate.sh` for what it does not let through (EX_NOPERM of sysexits.h)."""

_GATED = (
    f"This is Headway {VERSION}. If the host lets the scripts of another one through, type"
    " `inv setup.ENVIRONMENT` with a key that may do everything; what is no script of Headway's own"
    " (exec, logs, your own commands) needs that key too."
)
_ASK = "It may have been done, or not, or still run: ask the host before doing it again."


class SSHHost:
    """One machine, over SSH. Commands may be run from several threads at once.

    Args:
        name: the host's name in the hosts file.
        address: a name or an IP address.
        port: None is 22, or what ~/.ssh/config says if `use_config`.
        user: None is the local user, or what ~/.ssh/config says if `use_config`.
        key: our key; None means those of the agent and of ~/.ssh.
        known_hosts: the file of pinned host keys, for the gateway as well.
        gateway: the host to go through, if any.
        connect_timeout: seconds for TCP.
        handshake_timeout: seconds for each of: banner, key exchange, login, opening a channel.
        use_config: read ~/.ssh/config (HostName, User, Port, IdentityFile, ProxyJump).

    The user's login shell must be a POSIX shell, and the host must have the `timeout` command of
    coreutils or busybox.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        known_hosts: Path,
        key: paramiko.PKey | None = None,
        port: int | None = None,
        user: str | None = None,
        gateway: Endpoint | None = None,
        connect_timeout: float = 10.0,
        handshake_timeout: float = 15.0,
        use_config: bool = False,
    ) -> None:
        self.name = name
        self.target = Endpoint(address, port, user)
        self.login = Login(key, known_hosts, connect_timeout, use_config, handshake_timeout)
        self.gateway = gateway
        self._link: Link | None = None
        self._closings = 0
        self._linking = threading.Lock()
        # sshd refuses the eleventh session of a connection (MaxSessions 10).
        self._sessions = threading.BoundedSemaphore(8)

    def connect(self) -> None:
        """Connect, unless connected.

        Raises:
            Unreachable: no connection.
            KeyRefused: the host's key, or the gateway's, is not the pinned one.
        """
        self._linked()

    def close(self) -> None:
        """End the connection; a later `exec` makes a new one."""
        # Without the lock: one who closes does not wait for another thread that is connecting.
        self._closings += 1
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Run one command to its end; see `Host.exec`.

        The command runs under `timeout` on the host, which ends it and its process group at the
        deadline, whatever becomes of this connection. A command that a signal killed has exit code
        128 + the signal's number. An interrupt (KeyboardInterrupt) closes the connection; the
        command is still running on the host then, until its deadline.

        Raises:
            Gated: our key may run Headway's own scripts alone, and this is none of them.
            ValueError: `argv` can't be sent: empty, with a NUL, or too long (use `stdin`).
        """
        command = _command(argv, timeout)

        def run(_host: SSHHost) -> Result:
            return self._exec(command, stdin, timeout, on_line)

        if threading.current_thread() is not threading.main_thread():
            return run(self)
        # An interrupt comes to the main thread, between any two lines of Python. In the middle of
        # paramiko's it can leave a lock held for which closing the channel then waits for ever.
        outcome = each([self], run)[self.name]
        if isinstance(outcome, HeadwayError):
            raise outcome
        return outcome

    def dial(self, port: int, *, timeout: float) -> paramiko.Channel:
        """Connect, on the host, to a port of its own loopback; see `Host.dial`.

        Not for the main thread, as `exec` says why.
        """
        link = self._linked()
        try:
            return link.transport.open_channel(
                "direct-tcpip", ("127.0.0.1", port), ("127.0.0.1", 0), timeout=timeout
            )
        except paramiko.ChannelException as error:
            if error.code != _PROHIBITED:
                raise ConnectionRefusedError(f"nothing answers on port {port}") from error
            raise Unreachable(
                self.name,
                f"sshd there lets nobody through to port {port}",
                mend="authorized_keys needs port-forwarding beside restrict, and sshd_config "
                "AllowTcpForwarding local",
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            why = link.why() if link.lost() else str(error)
            raise Unreachable(self.name, f"port {port} can't be reached ({why})") from error

    def _exec(
        self, command: bytes, stdin: bytes, timeout: float, on_line: Callable[[str], None] | None
    ) -> Result:
        with self._sessions:
            link, channel = self._session()
            exchange = Exchange(channel, stdin, on_line)
            started = time.monotonic()
            try:
                self._start(link, channel, command)
                exchange.run(started + timeout + KILL_AFTER + GRACE)
            except (paramiko.SSHException, EOFError) as error:
                raise self._unknown(link) from error
            except OSError as error:
                if link.lost():
                    raise self._unknown(link) from error
                raise
            finally:
                with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                    channel.close()
        return self._result(link, exchange, time.monotonic() - started, timeout)

    def _linked(self) -> Link:
        with self._linking:
            link = self._link
            if link is not None and link.alive:
                return link
            if link is not None:
                link.close()
            closings = self._closings
            link = open_link(self.name, self.target, self.login, self.gateway)
            if closings != self._closings:
                link.close()
                raise Unreachable(self.name, "the connection was closed while it was being made")
            self._link = link
            return link

    def _session(self) -> tuple[Link, paramiko.Channel]:
        """Open a channel, connecting anew, once, if the connection turns out to be gone.

        That is safe here, and only here: nothing has been sent yet.
        """
        last = time.monotonic() + SLOT
        anew = True
        while True:
            link = self._linked()
            try:
                return link, link.transport.open_session(timeout=self.login.handshake_timeout)
            except (paramiko.SSHException, EOFError, OSError) as error:
                if isinstance(error, paramiko.ChannelException) and time.monotonic() < last:
                    time.sleep(0.05)
                elif anew and link.lost():
                    anew = False
                else:
                    raise Unreachable(
                        self.name, f"the host opens no session ({error or link.why()})"
                    ) from error

    def _start(self, link: Link, channel: paramiko.Channel, command: bytes) -> None:
        try:
            channel.exec_command(command)
        except paramiko.SSHException as error:
            if link.lost():
                raise
            raise Unreachable(
                self.name,
                "the host refuses to run commands for this user",
                mend="look at ForceCommand and the user's shell there",
            ) from error

    def _result(self, link: Link, exchange: Exchange, seconds: float, timeout: float) -> Result:
        code = exchange.exit_code
        if code is None or (not exchange.whole and link.lost()):
            if exchange.overdue:
                raise OutcomeUnknown(
                    self.name,
                    f"the command did not end within {timeout:g} s, and the host did not end it"
                    f" {KILL_AFTER + GRACE:.0f} s later",
                    state=_ASK,
                )
            raise self._unknown(link)
        # `timeout` exits with 124 when it had to end the command, with 137 when it had to kill it.
        # A command may have such an exit code of its own, but not at that time. The host's clock
        # may run slower or faster than ours by some hundred millionths.
        ended_at = {124: timeout, 137: timeout + KILL_AFTER}.get(code)
        if ended_at is not None and seconds >= ended_at * 0.999:
            raise TimedOut(
                self.name,
                f"the command did not end within {timeout:g} s, and the host has ended it",
                state=exchange.stderr[-2000:].decode("utf-8", "replace").strip(),
            )
        if code == GATED and exchange.stderr.startswith(b"headway gate: "):
            said = exchange.stderr.decode("utf-8", "replace").strip().removeprefix("headway gate: ")
            raise Gated(self.name, f"{said}; it was not run", mend=_GATED)
        return Result(code, bytes(exchange.stdout), bytes(exchange.stderr), seconds)

    def _unknown(self, link: Link) -> OutcomeUnknown:
        reason = link.why() if link.lost() else "the host ended the session without an exit code"
        return OutcomeUnknown(self.name, f"{reason} while a command ran", state=_ASK)


def _command(argv: Sequence[str], timeout: float) -> bytes:
    """Return the line for the login shell: exact words, under a deadline that the host keeps.

    `exit $?` keeps the shell from replacing itself by `timeout`: only a shell turns the death of
    its child into an exit code, and paramiko does not pass a signal on.
    """
    if not argv:
        raise ValueError("a command has at least one word")
    words = shlex.join(["timeout", "-k", f"{KILL_AFTER:g}", f"{timeout:.3f}s", *argv])
    if "\0" in words:
        raise ValueError("a command can't hold a NUL character")
    command = f"{words}; exit $?".encode("utf-8", "surrogateescape")
    if len(command) > MAX_COMMAND:
        raise ValueError(f"a command of {len(command)} bytes is too long; send it by stdin")
    return command

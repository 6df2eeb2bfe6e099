"""What becomes of a command whose connection goes away, or whose person does."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from deploy.errors import OutcomeUnknown
from deploy.remote.pool import each

from .proxy import Proxy
from .sshd import Sshd, running

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.remote.ssh import SSHHost

    from .conftest import MakeHost, MakeSshd

MakeProxy = Callable[[int], Proxy]


def test_a_killed_server_process_is_outcome_unknown(
    make_sshd: MakeSshd, make_host: MakeHost, tmp_path: Path
) -> None:
    server = make_sshd()
    host = make_host(server.port, server.line())
    done = tmp_path / "done"
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="web-1: the connection was cut while a command ran"):
        host.exec(
            ["sh", "-c", f"echo up; sleep 1; touch {done}"],
            timeout=30,
            on_line=lambda _line: server.cut(),
        )
    assert time.monotonic() - started < 1
    time.sleep(1.5)
    assert done.exists(), "the command went on, which is why it must not be called failed"


def test_a_reset_is_outcome_unknown(sshd: Sshd, make_host: MakeHost, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(sshd.port)
    host = make_host(proxy.port, sshd.line(port=proxy.port))
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught:
        host.exec(["sh", "-c", "echo up; sleep 2"], timeout=30, on_line=lambda _line: proxy.reset())
    assert time.monotonic() - started < 1.5
    assert "ask the host" in caught.value.state


def test_a_reset_while_input_is_sent_is_outcome_unknown(
    sshd: Sshd, make_host: MakeHost, make_proxy: MakeProxy
) -> None:
    proxy = make_proxy(sshd.port)
    host = make_host(proxy.port, sshd.line(port=proxy.port))
    with pytest.raises(OutcomeUnknown):
        host.exec(
            ["sh", "-c", "echo up; sleep 2; cat"],
            stdin=bytes(20_000_000),
            timeout=30,
            on_line=lambda _line: proxy.reset(),
        )


def test_output_cut_short_is_outcome_unknown_though_the_exit_code_has_come(
    sshd: Sshd, make_host: MakeHost, make_proxy: MakeProxy
) -> None:
    proxy = make_proxy(sshd.port)
    host = make_host(proxy.port, sshd.line(port=proxy.port))
    with pytest.raises(OutcomeUnknown):
        host.exec(
            ["sh", "-c", "sleep 2 & echo up"],
            timeout=30,
            on_line=lambda _line: threading.Timer(0.5, proxy.reset).start(),
        )


def test_a_killed_shell_is_outcome_unknown(host: SSHHost) -> None:
    # The command itself goes on under nobody, so that its outcome is not known.
    with pytest.raises(OutcomeUnknown, match="ended the session without an exit code"):
        host.exec(["sh", "-c", "kill -9 $(ps -o ppid= -p $PPID); sleep 0.5"], timeout=10)
    assert host.exec(["echo", "on"], timeout=10).text == "on\n"


def test_a_host_that_does_not_end_the_command_is_outcome_unknown(
    host: SSHHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.remote.ssh.GRACE", -4.5)
    script = "trap '' TERM; sleep 1.5; sleep 1.5"
    with pytest.raises(OutcomeUnknown, match=r"did not end within 0\.3 s, and the host did not"):
        host.exec(["sh", "-c", script], timeout=0.3)


def test_a_dead_network_is_found_in_ten_seconds(
    make_sshd: MakeSshd, make_host: MakeHost, make_proxy: MakeProxy
) -> None:
    """Four ways to be silent, and two that only look like it, at the same time."""
    server, gateway = make_sshd(), make_sshd()
    proxies = [make_proxy(server.port) for _ in range(5)]
    hosts = [make_host(proxy.port, server.line(port=proxy.port)) for proxy in proxies]
    hop = make_proxy(gateway.port)
    inside = make_host(
        server.port,
        server.line() + gateway.line(port=hop.port),
        gateway=type(hosts[0].target)("127.0.0.1", hop.port, hosts[0].target.user),
    )
    talking, sending, idle, quiet, slow = range(5)
    for host in [*hosts, inside]:
        host.connect()

    def lose(host: SSHHost, proxy: Proxy, stdin: bytes = b"") -> float:
        frozen: list[float] = []

        def freeze(_line: str) -> None:
            proxy.freeze()
            frozen.append(time.monotonic())

        with pytest.raises(OutcomeUnknown, match="has not answered for 8 s"):
            host.exec(
                ["sh", "-c", "echo up; cat; sleep 20"], stdin=stdin, timeout=60, on_line=freeze
            )
        return time.monotonic() - frozen[0]

    def come_back() -> float:
        proxies[idle].freeze()
        started = time.monotonic()
        assert hosts[idle].exec(["echo", "back"], timeout=10).text == "back\n"
        return time.monotonic() - started

    with ThreadPoolExecutor(6) as threads:
        losses = [
            threads.submit(lose, hosts[talking], proxies[talking]),
            threads.submit(lose, hosts[sending], proxies[sending], bytes(50_000_000)),
            threads.submit(lose, inside, hop),
            threads.submit(come_back),
        ]
        still = threads.submit(hosts[quiet].exec, ["sleep", "10.5"], timeout=30)
        drops = "for n in 1 2 3 4 5 6 7 8 9 10; do echo $n; sleep 1; done"
        slowly = threads.submit(hosts[slow].exec, ["sh", "-c", drops], timeout=30)
        for loss in losses:
            assert 5 < loss.result() < 10
        assert still.result().exit_code == 0
        assert slowly.result().text.split() == [str(n) for n in range(1, 11)]


def interrupt_after(seconds: float) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("stdin", [b"", bytes(30_000_000)], ids=["waiting", "sending"])
def test_an_interrupt_comes_through_at_once(host: SSHHost, nap: str, stdin: bytes) -> None:
    host.connect()
    started = time.monotonic()
    interrupt_after(0.7)
    with pytest.raises(KeyboardInterrupt):
        host.exec(nap.split(), stdin=stdin, timeout=4)
    assert 0.7 <= time.monotonic() - started < 1.2
    assert host.exec(["echo", "usable"], timeout=10).text == "usable\n"
    # The command is still there, and the host ends it at its deadline.
    assert running(nap)
    end = time.monotonic() + 6
    while running(nap) and time.monotonic() < end:
        time.sleep(0.1)
    assert not running(nap)


def test_an_interrupt_in_the_middle_of_output(host: SSHHost) -> None:
    # Again and again: what an interrupt finds held in paramiko is a matter of chance.
    for _ in range(5):
        host.connect()
        interrupt_after(0.3)
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            host.exec(["timeout", "4", "yes"], timeout=30)
        assert time.monotonic() - started < 1.5
    assert host.exec(["echo", "usable"], timeout=10).text == "usable\n"


def test_an_interrupt_while_many_hosts_are_asked(sshd: Sshd, make_host: MakeHost) -> None:
    hosts = [make_host(sshd.port, sshd.line()) for _ in range(5)]
    for number, host in enumerate(hosts):
        host.name = f"web-{number}"
        host.connect()
    before = threading.active_count()
    started = time.monotonic()
    interrupt_after(0.7)
    with pytest.raises(KeyboardInterrupt):
        each(hosts, lambda host: host.exec(["sleep", "4"], timeout=30))
    assert 0.7 <= time.monotonic() - started < 1.2
    end = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert threading.active_count() <= before, "no worker holds the process up at its end"

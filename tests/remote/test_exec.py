"""Commands on a real sshd: words, input, output, exit codes, deadlines, threads."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy.errors import TimedOut
from deploy.remote import ssh

from .sshd import running

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.remote.ssh import SSHHost

NO_NUL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(NO_NUL, min_size=1, max_size=5))
@example(["", " ", "a b", "'", '"', "$(id)", "`id`", "\\", "\n", "x;rm -rf /", "-v", "!!", "é\t☃"])
def test_words_arrive_as_they_are(host: SSHHost, words: list[str]) -> None:
    result = host.exec(["sh", "-c", r"""printf '%s\0' "$@" """, "sh", *words], timeout=10)
    assert result.stdout.decode().split("\0") == [*words, ""]
    assert result.exit_code == 0


def test_bytes_that_are_not_text_arrive(host: SSHHost) -> None:
    word = b"\xff\xfe".decode("utf-8", "surrogateescape")
    assert host.exec(["printf", "%s", word], timeout=10).stdout == b"\xff\xfe"


@pytest.mark.parametrize(
    ("argv", "message"),
    [([], "at least one"), (["a\0b"], "NUL"), (["x" * 140_000], "too long")],
)
def test_what_cannot_be_sent_is_refused(host: SSHHost, argv: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        host.exec(argv, timeout=10)


def test_the_longest_command(host: SSHHost) -> None:
    assert len(host.exec(["echo", "x" * 130_000], timeout=10).stdout) == 130_001


def test_exit_code_output_and_errors_are_kept_apart(host: SSHHost) -> None:
    result = host.exec(["sh", "-c", "echo out; echo err >&2; exit 7"], timeout=10)
    assert (result.exit_code, result.stdout, result.stderr) == (7, b"out\n", b"err\n")
    assert 0 < result.seconds < 5


def test_a_command_that_is_not_there(host: SSHHost) -> None:
    result = host.exec(["no-such-command"], timeout=10)
    assert result.exit_code == 127
    assert b"no-such-command" in result.stderr


@pytest.mark.parametrize("code", [124, 125, 137, 255])
def test_exit_codes_that_look_like_something_else(host: SSHHost, code: int) -> None:
    assert host.exec(["sh", "-c", f"exit {code}"], timeout=10).exit_code == code


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("TERM", 15), ("SEGV", 11)])
def test_death_by_a_signal_is_an_exit_code(host: SSHHost, name: str, number: int) -> None:
    assert host.exec(["sh", "-c", f"kill -{name} $$"], timeout=10).exit_code == 128 + number


def test_input_is_sent_whole_and_closed(host: SSHHost) -> None:
    data = os.urandom(5_000_000)
    result = host.exec(["sha256sum"], stdin=data, timeout=30)
    assert result.text.split()[0] == hashlib.sha256(data).hexdigest()


def test_without_input_a_reader_ends_at_once(host: SSHHost) -> None:
    assert host.exec(["cat"], timeout=10).stdout == b""


def test_input_and_output_at_the_same_time(host: SSHHost) -> None:
    data = os.urandom(12_000_000)
    assert host.exec(["cat"], stdin=data, timeout=30).stdout == data


def test_input_that_nobody_reads_is_no_error(host: SSHHost) -> None:
    data = bytes(8_000_000)
    assert host.exec(["true"], stdin=data, timeout=10).exit_code == 0
    result = host.exec(["sh", "-c", "exec 0<&-; sleep 0.5; echo done"], stdin=data, timeout=10)
    assert result.text == "done\n"


def test_much_output_comes_fast_and_whole(host: SSHHost) -> None:
    result = host.exec(["head", "-c", "20000000", "/dev/zero"], timeout=30)
    assert len(result.stdout) == 20_000_000
    assert result.seconds < 5, "20 MB took 63 s with Fabric's own run"


def test_much_on_both_outputs(host: SSHHost) -> None:
    script = "head -c 3000000 /dev/zero >&2 & head -c 4000000 /dev/zero; wait"
    result = host.exec(["sh", "-c", script], timeout=30)
    assert (len(result.stdout), len(result.stderr)) == (4_000_000, 3_000_000)


def test_lines_are_passed_on_while_the_command_runs(host: SSHHost, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        gate.touch()

    script = f"echo one; until [ -e {gate} ]; do sleep 0.05; done; printf 'tw\\303\\266\\nl\\377st'"
    result = host.exec(["sh", "-c", script], timeout=10, on_line=on_line)
    assert lines == ["one", "twö", "l\N{REPLACEMENT CHARACTER}st"]
    assert result.stdout == b"one\ntw\xc3\xb6\nl\xffst"


def test_an_error_in_on_line_comes_out_and_the_host_stays_usable(host: SSHHost) -> None:
    def on_line(line: str) -> None:
        raise BrokenPipeError(line)

    with pytest.raises(BrokenPipeError, match="hello"):
        host.exec(["echo", "hello"], timeout=10, on_line=on_line)
    assert host.exec(["true"], timeout=10).exit_code == 0


def test_the_deadline_is_kept_on_the_host(host: SSHHost, nap: str) -> None:
    started = time.monotonic()
    with pytest.raises(
        TimedOut, match=r"web-1: .* within 1 s, and the host has ended it"
    ) as caught:
        host.exec(["sh", "-c", f"echo why >&2; {nap}; true"], timeout=1)
    assert 1.0 <= time.monotonic() - started < 2.5
    assert caught.value.state == "why"
    assert not running(nap)


def test_a_command_that_exits_cleanly_at_its_deadline_still_timed_out(host: SSHHost) -> None:
    with pytest.raises(TimedOut):
        host.exec(["sh", "-c", "trap 'exit 0' TERM; sleep 987.25 & wait"], timeout=0.5)


def test_a_command_that_ignores_the_signal_is_killed(
    host: SSHHost, nap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "KILL_AFTER", 1.0)
    started = time.monotonic()
    with pytest.raises(TimedOut):
        host.exec(["sh", "-c", f"trap '' TERM; {nap}; {nap}"], timeout=0.5)
    assert 1.5 <= time.monotonic() - started < 3
    assert not running(nap)


def test_a_process_left_in_the_background_does_not_hold_us(
    host: SSHHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.remote.exchange.AFTER_EXIT", 0.5)
    result = host.exec(["sh", "-c", "sleep 4 & echo left"], timeout=10)
    assert (result.exit_code, result.stdout) == (0, b"left\n")
    assert result.seconds < 3


def test_two_threads_and_more_than_the_servers_sessions(host: SSHHost) -> None:
    with ThreadPoolExecutor(20) as threads:
        results = list(
            threads.map(
                lambda n: host.exec(["sh", "-c", f"sleep 0.2; echo {n}"], timeout=20).text.strip(),
                range(20),
            )
        )
    assert results == [str(n) for n in range(20)]

"""A gated key on a real sshd: Headway's own scripts are run, and nothing else is."""

from __future__ import annotations

import ast
import getpass
import hashlib
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deploy import gate
from deploy.errors import Gated, Unreachable
from deploy.lease.keeper import STORIES, Keeper
from deploy.lease.words import Claim
from deploy.remote.arrows import Arrows
from deploy.remote.keys import load_key
from deploy.remote.script import CALL, assemble, call_of, script
from deploy.remote.ssh import MAX_COMMAND, SSHHost, _command
from deploy.setup import Gate, Key
from deploy.story.shelf import Shelf
from tests.story.made import story

from .sshd import Sshd, make_key
from .test_script import SETTINGS

if TYPE_CHECKING:
    from .conftest import MakeHost

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "/srv/shop"
NOT_LET_THROUGH = {"foreign", "sent", "encrypted", "once", "described", "try_version"}
"""Functions that Headway calls and a gated key does not: they run commands of the team's, or start
what somebody sends."""


@dataclass
class Limited:
    """A server, reached with a key that may do everything, and with one that is limited."""

    server: Sshd
    app: Path
    open: SSHHost
    shut: SSHHost
    gate: Gate

    def raw(self, command: str) -> tuple[int, str]:
        """What a command that is sent as it is ends with, and says on standard error."""
        self.shut.connect()
        assert self.shut._link is not None
        channel = self.shut._link.transport.open_session(timeout=5)
        channel.settimeout(10)
        channel.exec_command(command)
        said = b"".join(iter(lambda: channel.recv_stderr(4096), b""))
        return channel.recv_exit_status(), said.decode()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sshd, Path, Path]]:
    """A server whose authorized_keys lies in the home that its sessions have."""
    folder = tmp_path_factory.mktemp("gated")
    admin = make_key(folder / "admin")
    home = folder / "home"
    (home / ".ssh").mkdir(mode=0o700, parents=True)
    (home / ".ssh" / "authorized_keys").write_text(admin.with_suffix(".pub").read_text())
    (folder / "authorized.pub").symlink_to(home / ".ssh" / "authorized_keys")
    server = Sshd(home, folder / "authorized", more="Subsystem sftp internal-sftp")
    yield server, folder, admin
    server.stop()


@pytest.fixture
def gated(place: tuple[Sshd, Path, Path], make_host: MakeHost, tmp_path: Path) -> Limited:
    server, folder, admin = place
    app = tmp_path / "app"
    app.mkdir()
    key = make_key(folder / f"gated-{tmp_path.name}")
    one = Gate("shop", str(app), Key.read(key.with_suffix(".pub")))
    host = make_host(server.port, server.line(), key=load_key(admin))
    change = one.look(host)
    assert change.add
    assert not change.locked_out
    one.install(host)
    assert one.look(host).nothing, "doing it again is doing nothing"
    shut = make_host(server.port, server.line(), key=load_key(key))
    return Limited(server, app, host, shut, one)


def arrows(of: Limited, **more: str) -> Arrows:
    return Arrows(
        of.shut, SETTINGS | {"dir": str(of.app), "by": 'it\'s\n$(id) "me"', **more}, "caddy"
    )


# --- what is let through -------------------------------------------------------------------------


def test_a_port_that_is_named_and_no_other(gated: Limited, make_host: MakeHost) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as open_one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        ports = [one.getsockname()[1] for one in (open_one, other)]
        for port in ports:
            with pytest.raises(Unreachable, match="lets nobody through"):
                gated.shut.dial(port, timeout=5)
        wider = replace(gated.gate, port=ports[0])
        assert wider.look(gated.open).add, "the line is another one"
        wider.install(gated.open)
        assert wider.look(gated.open).nothing
        gated.shut.close()
        gated.shut.dial(ports[0], timeout=5).close()
        with pytest.raises(Unreachable, match="lets nobody through"):
            gated.shut.dial(ports[1], timeout=5)
        with pytest.raises(Gated):
            gated.shut.exec(["id"], timeout=5)


def test_an_arrow_that_reads(gated: Limited) -> None:
    lines = arrows(gated).read("facts", ["data/up loads"], timeout=30)
    assert lines[0].startswith('{"event":"host","user":')
    assert '{"event":"absent","path":"data/up loads"}' in lines


def test_an_arrow_under_the_lock(gated: Limited) -> None:
    arrows(gated).send("bar", token="t-1", timeout=30)
    assert (gated.app / ".headway" / "run" / "t-1.end").read_text() == "0\n"


def test_the_lease(gated: Limited) -> None:
    keeper = Keeper(arrows(gated), 40.0)
    claim = Claim("r-1", "ada", '/etc is being changed; it\'s "../x"')
    lease = keeper.take(claim, lambda _line: None)
    assert lease.token == 1
    assert keeper.look(claim).holder is not None


def test_a_story(gated: Limited) -> None:
    shelf = Shelf(Keeper(arrows(gated), 40.0), Claim("r-1", "ada", "deploy"), "shop", "staging")
    shelf.put(story("d-1"))
    assert shelf.get("d-1") == story("d-1")
    assert shelf.changes("v1-1", "v2-2").events == []
    with pytest.raises(Gated):
        shelf.keeper.ask(shelf.claim, "is_name", arguments=["x"], parts=STORIES)


def test_input_and_the_deadline_are_as_ever(gated: Limited) -> None:
    text = assemble({}, [("deploy.database", "access-container")], gate.calling(gate.INSIDE[0]))
    with pytest.raises(Gated):
        gated.shut.exec(["sh", "-c", "cat", "headway"], stdin=b"x" * 100_000, timeout=5)
    # It is let through, and finds no container: `container` and `project` are not set.
    result = gated.shut.exec(["sh", "-c", text, "headway"], timeout=20)
    assert result.exit_code != 77


# --- what is refused -----------------------------------------------------------------------------


def test_a_command_of_somebodys_own(gated: Limited) -> None:
    with pytest.raises(Gated) as caught:
        gated.shut.exec(["sh", "-c", "id"], timeout=10)
    error = caught.value
    assert error.exit_code == 3
    assert f"scripts of Headway {gate.VERSION} for {gated.app}" in error.reason
    assert error.reason.endswith("it was not run")
    assert "inv setup.ENVIRONMENT" in error.mend
    assert gated.open.exec(["echo", "in"], timeout=10).text == "in\n"


def wrapped(text: str, *words: str) -> str:
    return _command(["sh", "-c", text, *(words or ("headway",))], 10).decode()


def good(of: Limited, **more: str) -> str:
    return script(SETTINGS | {"dir": str(of.app), **more}, "caddy", "bar")


def hostile(of: Limited) -> dict[str, str]:
    mark = f"touch {of.app}/broken-in"
    text = good(of)
    command = wrapped(text)
    own = f"dir={of.app}\n"
    return {
        "a plain command": mark,
        "nothing of ours around it": f"sh -c {shlex.quote(mark)}",
        "a script of somebody's own": wrapped(mark),
        "a line more": wrapped(text + mark + "\n"),
        "a line before": wrapped(f"{mark}\n{text}"),
        "a line within": wrapped(text.replace(f"\n{CALL}\n", f"\n{mark}\n{CALL}\n", 1)),
        "another end of the parts": wrapped(text.replace(own, f"{own}{CALL}\n{mark}\n", 1)),
        "a substitution in a setting": wrapped(text.replace(own, f"{own}x=$({mark})\n")),
        "backquotes in a setting": wrapped(text.replace(own, f"{own}x=`{mark}`\n")),
        "a substitution in double quotes": wrapped(text.replace(own, f'{own}x="$({mark})"\n')),
        "a word after a setting": wrapped(text.replace(own, f"{own}x=a {mark}\n")),
        "a command after a setting": wrapped(text.replace(own, f"{own}x=a;{mark}\n")),
        "a quote that is left open": wrapped(text.replace(own, f"{own}x='a\n")),
        "quotes that are closed too early": wrapped(text.replace(own, f"{own}x='a'$({mark})'b'\n")),
        "a variable of the system's": wrapped(text.replace(own, f"{own}PATH={of.app}\n")),
        "another folder": wrapped(script({"dir": "/srv/other"}, "caddy", "bar")),
        "a folder beside it": wrapped(good(of, backups=f"{of.app}-2/backups")),
        "a way out of it": wrapped(good(of, release="../../x")),
        "a function that runs what it is given": wrapped(
            script({"dir": str(of.app)}, "caddy", "hashes_by", ["/", "touch", "x"], locked=False)
        ),
        "an arrow without the lock": wrapped(
            script({"dir": str(of.app)}, "caddy", "stage", locked=False)
        ),
        "two calls": wrapped(text.replace("\nbar\n", f"\nbar; {mark}\n")),
        "a call with a substitution": wrapped(text.replace("\nbar\n", f"\nbar $({mark})\n")),
        "a call in the background": wrapped(text.replace("\nbar\n", f"\nbar & {mark}\n")),
        "more after the script": command.replace("; exit $?", f"; {mark}; exit $?"),
        "more after the end": f"{command}; {mark}",
        "another program before": f"{mark}; {command}",
        "a substitution for the deadline": command.replace("10.000s", f"$({mark})s", 1),
        "a substitution as a word": command.replace(" headway;", f" $({mark});", 1),
        "a redirection": command.replace(" headway;", f" headway > {of.app}/broken-in;", 1),
        "another shell": command.replace(" sh -c ", " bash -c ", 1),
        "scp": f"scp -t {of.app}",
        "rsync": f"rsync --server -e. . {of.app}",
        "nothing": "",
    }


def test_what_is_no_script_of_headways(gated: Limited) -> None:
    assert gated.raw(wrapped(good(gated, x="a b")))[0] == 0, "the text that the others change"
    for what, command in hostile(gated).items():
        code, said = gated.raw(command)
        assert (code, said[:14]) == (77, "headway gate: "), (what, code, said)
        assert not (gated.app / "broken-in").exists(), what


def test_no_shell_no_files_no_forwarding(gated: Limited) -> None:
    gated.shut.connect()
    assert gated.shut._link is not None
    transport = gated.shut._link.transport
    shell = transport.open_session(timeout=5)
    with pytest.raises(paramiko.SSHException):
        shell.get_pty()
    shell = transport.open_session(timeout=5)
    shell.settimeout(10)
    shell.invoke_shell()
    assert shell.recv_exit_status() == 77
    with pytest.raises((paramiko.SSHException, EOFError)):
        paramiko.SFTPClient.from_transport(transport)
    with pytest.raises(paramiko.ChannelException):
        transport.open_channel(
            "direct-tcpip", ("127.0.0.1", gated.server.port), ("127.0.0.1", 0), timeout=5
        )


@pytest.mark.parametrize("argv", [["scp", "-O"], ["scp"]])
def test_scp_by_sftp_and_as_it_was(gated: Limited, tmp_path: Path, argv: list[str]) -> None:
    known_hosts = tmp_path / "known"
    known_hosts.write_text(gated.server.line())
    (tmp_path / "file").write_text("x")
    key = next(path for path in tmp_path.parent.parent.rglob(f"gated-{tmp_path.name}"))
    options = ["-i", str(key), "-P", str(gated.server.port), "-F", "none", "-o", "BatchMode=yes"]
    options += ["-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={known_hosts}"]
    there = f"{getpass.getuser()}@127.0.0.1:{gated.app}/broken-in"
    done = subprocess.run(
        [*argv, *options, str(tmp_path / "file"), there],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert list(gated.app.iterdir()) == []


# --- what it knows -------------------------------------------------------------------------------

JUDGE = assemble({}, [("deploy.remote", "gate")], f"judged {FOLDER}")


def judged(command: str | bytes) -> str:
    """The sum of what the gate makes of a command."""
    done = subprocess.run(
        ["sh", "-c", JUDGE],
        env={"SSH_ORIGINAL_COMMAND": command, "PATH": "/usr/bin:/bin"},  # type: ignore[dict-item]
        capture_output=True,
        timeout=20,
        check=True,
    )
    assert done.stderr == b""
    return hashlib.sha256(done.stdout).hexdigest()


NOTHING = hashlib.sha256(b"").hexdigest()


def test_every_script_is_known_as_it_is_sent() -> None:
    known = set(gate.known())
    for parts, call in gate.calls():
        lines = call.removesuffix("\n")
        if lines == call:
            name, locked = call.removeprefix("begin "), call.startswith("begin ")
            lines = call_of(name, ["a b", "it's", ""], locked=locked)
        text = assemble(SETTINGS | {"by": "it's\n$(id)"}, parts, lines)
        assert judged(wrapped(text)) in known, (parts, call)
    for text in (gate.LOOK, gate.REMOVE):
        assert judged(wrapped(text, "headway", "an image", "")) in known
    assert NOTHING not in known


def test_nothing_that_headway_calls_was_forgotten() -> None:
    """Every function of a `*.sh` that Python names in a call is known, or left out on purpose."""
    functions: set[str] = set()
    for path in (ROOT / "deploy").rglob("*.sh"):
        if "sandbox" not in path.parts and path.stem not in {"gate", "setup", "entry"}:
            functions |= set(re.findall(r"^([a-z]\w*)\(\)", path.read_text(), re.MULTILINE))
    functions -= {"begin", "finish"}  # what stands around a call
    called = {
        one.value
        for path in (ROOT / "deploy").rglob("*.py")
        for place in ast.walk(ast.parse(path.read_text()))
        if names_a_call(place)
        for one in ast.walk(place)
        if isinstance(one, ast.Constant) and one.value in functions
    }
    known = {call.removeprefix("begin ") for _, call in gate.calls() if not call.endswith("\n")}
    assert called - known == NOT_LET_THROUGH
    assert known - called <= {"why_over"}


def names_a_call(place: ast.AST) -> bool:
    """Whether a function of the shell may be named here: what is sent, or kept as the arrow."""
    match place:
        case ast.Call(func=ast.Attribute(attr="send" | "_send" | "read" | "ask" | "_speak")):
            return True
        case ast.keyword(arg="arrow"):
            return True
        case ast.Return(value=ast.Tuple()):
            return True
        case ast.Assign(targets=[target]):
            return "arrow" in ast.unparse(target)
    return False


def test_what_runs_commands_of_the_teams_is_not_known() -> None:
    known = set(gate.known())
    parts = [("deploy.remote", "lib"), ("deploy.database", "access-container")]
    parts += [("deploy.database", f"backup/{name}") for name in ("backup", "copies")]
    for call in ("foreign 'pg_dump' ''", "sent a b c d"):
        for more in (parts, parts[:-1]):
            text = assemble(SETTINGS, more, f"begin\n{call}\nfinish $?")
            assert judged(wrapped(text)) not in known


def test_a_command_has_room_in_a_variable(gated: Limited) -> None:
    """A forced command gets it in a variable, which has the limit of an argument."""
    room = MAX_COMMAND - len(_command(["sh", "-c", "", "headway"], 10)) + 2
    command = _command(["sh", "-c", "x" * room, "headway"], 10)
    assert MAX_COMMAND - 2 <= len(command) <= MAX_COMMAND
    assert gated.raw(command.decode())[0] == 77


# --- settings, and what looks like them ----------------------------------------------------------

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
PIECES = st.lists(
    st.sampled_from([
        "a=", "b_2=", "dir=", "A=", "x", "'", "''", "\"'\"", "'\"'\"'", '"', "$(id)", "`id`", "$x",
        "\n", "\n", " ", ";", "&", "|", "\\", "#", CALL, f"\n{CALL}\n", "/srv/shop", "..", "/", "é",
        "(", ")", "<", ">", "*", "~", "=",
    ]),
    max_size=12,
).map("".join)  # fmt: skip
SETTINGS_ALONE = re.compile(
    r"(?:[a-z][a-z0-9_]*=(?:[A-Za-z0-9_@%+=:,./-]+|'[^']*'(?:\"'\"'[^']*')*)\n)*"
)


def out_of_place(value: str) -> bool:
    return ".." in value.split("/") or (
        value.startswith("/") and value != FOLDER and not value.startswith(f"{FOLDER}/")
    )


@settings(deadline=None, max_examples=60)
@given(
    values=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), VALUES, max_size=4
    )
)
@example({"by": "it's"})
@example({"by": "'"})
@example({"by": f"\n{CALL}\n"})
def test_whatever_a_setting_is_it_goes_through_or_is_out_of_place(values: dict[str, str]) -> None:
    values = {key: value for key, value in values.items() if key not in {"dir", "why"}}
    parts = [("deploy.remote", "lib"), ("deploy.remote", "lease")]
    found = judged(wrapped(assemble(values | {"dir": FOLDER}, parts, "lease_show")))
    if any(map(out_of_place, values.values())):
        assert found == NOTHING
    else:
        assert found in gate.known()


@settings(deadline=None, max_examples=200)
@given(head=PIECES)
@example("a='b'\n")
@example("a='b\n'\n")
@example("a=\n")
@example("a='b'$(id)\n")
@example("a='b' id\n")
@example("a='it'\"'\"'s'\n")
@example("a='it'\"'\"$(id)\n")
def test_what_is_let_through_before_a_script_is_quoted_settings_alone(head: str) -> None:
    parts = [("deploy.remote", "lib"), ("deploy.remote", "lease")]
    if judged(wrapped(head + assemble({}, parts, "lease_show"))) in gate.known():
        assert SETTINGS_ALONE.fullmatch(head)


@settings(deadline=None, max_examples=200)
@given(words=PIECES)
@example(" 'a b' c")
@example(" a; id")
@example(" 'a'$(id)")
@example("\nid")
def test_what_is_let_through_after_a_call_is_words_alone(words: str) -> None:
    parts = [("deploy.remote", "lib"), ("deploy.remote", "lease")]
    text = assemble({}, parts, "lease_show" + words)
    if judged(wrapped(text)) in gate.known():
        assert re.fullmatch(
            r"(?: (?:[A-Za-z0-9_@%+=:,./-]+|'[^']*'(?:\"'\"'[^']*')*))*", words.removesuffix("\n")
        )
        assert shlex.join(shlex.split(words)) == words.strip()

"""No shell is put together from text that was not quoted; and one that was would be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from .shell_text import Module

PACKAGE = Path(__file__).resolve().parent.parent / "deploy"

MEANT = {
    ("sandbox/breaking.py", "broken", "fault.make"): "shell of our own, in sandbox/faults.py",
    ("sandbox/breaking.py", "mended", "fault.mend"): "shell of our own, in sandbox/faults.py",
    ("tasks/exec.py", "exec", "command"): "somebody types it to be run by a shell, and sees it run",
    ("notify/hooks.py", "_run", "self.commands[hook]"): "the user wrote it to be run by a shell",
}
"""(file, function, text) → why it is shell as it stands."""


def test_every_text_that_gets_into_shell_is_quoted() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), one.function, one.text): one.line
        for path in PACKAGE.rglob("*.py")
        for one in Module.of(path.read_text()).unquoted()
    }
    assert {key: line for key, line in found.items() if key not in MEANT} == {}
    assert MEANT.keys() <= found.keys(), "what is no longer there needs no reason"


def test_it_has_seen_where_shell_is_sent_from() -> None:
    """The modules that send shell of their own making, so that none is passed over by its form."""
    sending = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if list(Module.of(path.read_text()).shells())
    }
    named = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(mark in path.read_text() for mark in ('"sh", "-c"', " assemble(settings"))
    }
    assert named <= sending
    assert {"remote/arrows.py", "database/access.py", "tasks/logs.py"} <= sending


PLANTED = {
    "an f-string": """
def do(host, tag):
    host.exec(["sh", "-c", f"docker pull {tag}"])
""",
    "a sum": """
def do(host, tag):
    host.exec(["sh", "-c", "docker pull " + tag, "headway"])
""",
    "a name, later": """
def do(host, tag):
    text = "docker pull"
    text += " " + tag
    words = ["sh", "-c", text]
    host.exec(words)
""",
    "one of two ways": """
def do(host, tag, known):
    text = "true"
    if known:
        text = f"docker pull {tag}"
    host.exec(["bash", "-e", "-c", text])
""",
    "a list that is joined": """
def do(host, tag):
    host.exec(["sh", "-c", "; ".join(["true", *tag])])
""",
    "a loop": """
def do(host, tags):
    for text in tags:
        host.exec(["sh", "-c", text])
""",
    "a function between": """
def text_of(tag):
    return f"docker pull {tag}"

def do(host, tag):
    host.exec(["sh", "-c", text_of(tag)])
""",
    "a method's argument": """
class Step:
    def do(self, host):
        self._send(host, f"docker pull {self.tag}")

    def _send(self, host, text):
        host.exec(["sh", "-c", text])
""",
    "a default": """
import os
class Step:
    def do(self, host):
        self._send(host, text="true")
        self._send(host)

    def _send(self, host, text=os.environ["X"]):
        host.exec(["sh", "-c", text])
""",
    "who calls is elsewhere": """
def do(host, text):
    host.exec(["sh", "-c", text])
""",
    "around a closure": """
def do(host, tag):
    text = f"docker pull {tag}"
    def run():
        return host.exec(["sh", "-c", text])
    return run()
""",
    "assemble": """
from deploy.remote.script import assemble
def do(host, tag):
    return assemble({}, [], call=f"begin; stage {tag}")
""",
    "quoted by something else": """
def quote(text):
    return text
def do(host, tag):
    host.exec(["sh", "-c", f"docker pull {quote(tag)}"])
""",
    "beside the one that is quoted": """
import shlex
def do(host, tag, name):
    host.exec(["sh", "-c", f"docker tag {shlex.quote(tag)} {name}"])
""",
    "a format that any text passes": """
def do(host, tag):
    host.exec(["sh", "-c", f"docker pull {tag:>20}"])
""",
    "words of a call": """
def do(run, tag):
    run("docker", "exec", "db", "sh", "-c", f"echo {tag}")
""",
    "two values at once": """
def do(host, tag):
    text, stdin = f"docker pull {tag}", b""
    host.exec(["sh", "-c", text], stdin=stdin)
""",
}


@pytest.mark.parametrize("source", PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_one_is_found(source: str) -> None:
    assert Module.of(source).unquoted()


def test_it_says_where() -> None:
    (found,) = Module.of(PLANTED["a sum"]).unquoted()
    assert (found.line, found.function, found.text) == (3, "do", "tag")


QUOTED = {
    "quoted": """
import shlex
def do(host, tag, words):
    text = f"docker pull {shlex.quote(tag)} && {shlex.join(words)}"
    host.exec(["sh", "-c", text + " || true"])
""",
    "as arguments": """
PULL = 'docker pull "$1"'
def do(host, tag):
    host.exec(["sh", "-c", PULL, "headway", tag])
""",
    "numbers": """
def do(host, seconds, parts):
    host.exec(["sh", "-c", f"sleep {seconds:.1f}; head -n {len(parts)}"])
""",
    "assembled": """
from deploy.remote.script import assemble, call_of
def text_of(arrow, words):
    return assemble({"tag": arrow}, [], call_of(arrow, words))
def do(host, arrow, words):
    text = text_of(arrow, words)
    host.exec(["sh", "-c", text, "headway"])
""",
    "no shell at all": """
def do(host, tag):
    host.exec(["docker", "pull", "-c", tag])
""",
}


@pytest.mark.parametrize("source", QUOTED.values(), ids=QUOTED.keys())
def test_what_is_quoted_is_let_pass(source: str) -> None:
    assert Module.of(source).unquoted() == []

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading

import pytest

from deploy.views.choose import choose
from deploy.views.github import GitHub
from deploy.views.plain import Plain
from deploy.views.terminal import Terminal

from .sequences import CASES


class Screen(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "stream", "view"),
    [
        ({"GITHUB_ACTIONS": "true"}, io.StringIO(), GitHub),
        ({"GITHUB_ACTIONS": "true", "TERM": "xterm"}, Screen(), GitHub),
        ({"GITHUB_ACTIONS": "", "TERM": "xterm"}, Screen(), Terminal),
        ({"TERM": "xterm"}, io.StringIO(), Plain),
        ({"TERM": "dumb"}, Screen(), Plain),
        ({}, Screen(), Plain),
        ({"TERM": "xterm"}, Screen("latin-1"), Plain),
    ],
)
def test_choose(environ: dict[str, str], stream: io.TextIOBase, view: type) -> None:
    assert type(choose(environ, stream)) is view  # type: ignore[arg-type]


def test_actions_names_the_summary(tmp_path: object) -> None:
    path = f"{tmp_path}/summary.md"
    view = choose({"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": path}, io.StringIO())
    for event in CASES["first"]():
        view(event)
    with open(path, encoding="utf-8") as file:
        assert file.read().startswith("### ✓   shop · sandbox · first deploy of v1")


@pytest.mark.parametrize("no_color", ["", "1"])
def test_on_a_real_terminal(no_color: str) -> None:
    ours, theirs = os.openpty()
    shown = bytearray()

    def read() -> None:
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end is closed
                return
            if not chunk:
                return
            shown.extend(chunk)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        view = choose({"TERM": "xterm-256color", "NO_COLOR": no_color}, stream)
        for event in CASES["success"]():
            view(event)
        view.close()
    reader.join(10)
    os.close(ours)
    text = shown.decode()
    assert "https://shop.example serves v1.5.0 on 4 hosts." in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert ("\x1b[32m" in text) is not bool(no_color)


def test_a_log_does_not_pay_for_rich() -> None:
    code = (
        "import io, sys; from deploy.views.choose import choose; choose({}, io.StringIO());"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

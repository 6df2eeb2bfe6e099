"""No task shows a secret, whatever the hosts and the programs on them say."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy import api
from deploy.errors import HeadwayError, Refused
from deploy.events import Event, Outcome, RunEnded, StepFailed, StepSaid, Stream, Warned
from deploy.redaction.redactor import MASK
from deploy.remote.fake import Call, FakeHost
from deploy.remote.host import Result
from deploy.tasks import exec, history, logs, status
from deploy.tasks.edge import carry_out, guarded, situation

from .repository import Repository

PASSWORD = "p@ss/w_rd é&more"
KEY = "-----BEGIN A KEY-----\nMIIEowIBAAKCAQEA\n1a2b\n-----END A KEY-----\n"
WAYS: dict[str, str] = {
    "raw": PASSWORD,
    "in base64": base64.b64encode(f"acme:{PASSWORD}".encode()).decode(),
    "in a URL": f"https://acme:{quote(PASSWORD, safe='')}@registry.example",
    "over lines": KEY,
    "one line": KEY.splitlines()[1],
}
CANARIES = (
    "ss/w_rd", "w\\_rd", "ss%2Fw", "w%5Frd", quote(PASSWORD), "MIIEowIBAAK", "1a2b",
    *(base64.b64encode(f"{' ' * at}{PASSWORD}".encode()).decode()[4:-8] for at in range(3)),
)  # fmt: skip


def nothing_of_it(text: str) -> None:
    assert [one for one in CANARIES if one in text] == []
    assert MASK in text or r"\*" * 8 in text


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    repository = Repository(tmp_path / "acme")
    repository.environment("staging")
    monkeypatch.setenv("REGISTRY_TOKEN", PASSWORD)
    monkeypatch.setenv("SESSION_KEY", KEY)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return repository.folder


Answers = Callable[[str, int], None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What web-1 says to everything: half of it on standard error."""

    def set_up(text: str, exit_code: int = 0) -> None:
        def answer(_call: Call) -> Result:
            return Result(exit_code, f"first {text} after\n".encode(), f"then {text}".encode(), 0)

        monkeypatch.setattr(
            "deploy.situation.hosts_of", lambda _environment: {"web-1": FakeHost("web-1", answer)}
        )

    return set_up


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", ["logs", "exec"])
def test_what_a_container_says(
    root: Path, answers: Answers, way: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(WAYS[way], 0)
    if verb == "logs":
        logs.make(root, "staging")(Context())
    else:
        exec.make(root, "staging")(Context(), "env")
    out, err = capsys.readouterr()
    nothing_of_it(out)
    assert "web-1  first " in out
    assert err == ""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("task", [status, history])
def test_the_error_that_ends_a_task(root: Path, answers: Answers, way: str, task: Any) -> None:
    answers(WAYS[way], 1)
    with pytest.raises(Exit) as caught:
        task.make(root, "staging")(Context())
    assert caught.value.code == 3
    assert "then " in (caught.value.message or "")
    nothing_of_it(caught.value.message or "")


def test_a_fault_in_headway_itself(root: Path) -> None:
    @guarded
    def task() -> None:
        with situation(root, "staging"):
            raise ValueError(f"no {PASSWORD!r}, and no {KEY!r}")

    with pytest.raises(Exit) as caught:
        task()
    nothing_of_it(caught.value.message or "")


def events() -> list[Event]:
    said: list[Event] = []
    for text in WAYS.values():
        # Cut short by a view in the middle of the secret.
        said += [StepSaid(step="stage", host="web-1", text=f"{'x' * 990} {text}")]
        said += [Warned(text=text, host="web-1")]
        said += [
            StepFailed(step="stage", host="web-1", reason=text, detail=f"{text}\n{text}", seen=text)
        ]
    return said


def run(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """A run whose hosts say nothing but secrets; returns what a listener of its stream hears."""
    heard: list[Event] = []

    def stub(
        _intent: object, stream: Stream, _cancel: object, *, database_alone: bool, record: object
    ) -> RunEnded:
        del database_alone, record
        stream.listen(heard.append)
        for event in events():
            stream.emit(event)
        text = " ".join(WAYS.values())
        ended = RunEnded(outcome=Outcome.REVERTED, exit_code=4, seconds=1, message=text, next=text)
        stream.emit(ended)
        return ended

    monkeypatch.setattr(api, "carry_out", stub)

    @guarded
    def task() -> None:
        with situation(root, "staging") as one:
            intent: Any = SimpleNamespace(situation=one)
            carry_out(lambda: intent)

    with pytest.raises(Exit) as caught:
        task()
    assert caught.value.code == 4
    return heard


@pytest.mark.parametrize("view", ["plain", "terminal", "github"])
def test_a_run(
    root: Path, view: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = root / "summary.md"
    if view == "github":
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    if view == "terminal":
        # Narrow: what is wrapped is cut into pieces that nobody could look for.
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "40")
        monkeypatch.setattr(type(sys.stdout), "isatty", lambda _self: True)
    heard = run(root, monkeypatch)
    out = capsys.readouterr().out
    assert "web-1" in out
    assert ("\x1b[" in out) is (view == "terminal")
    nothing_of_it(out)
    nothing_of_it(repr(heard))
    if view == "github":
        nothing_of_it(summary.read_text())


def test_a_refusal_before_it_began(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    def make() -> Any:
        raise Refused(f"no image: {PASSWORD}", state=KEY, mend=WAYS["in a URL"])

    @guarded
    def task() -> None:
        with situation(root, "staging"):
            carry_out(make)

    with pytest.raises(Exit):
        task()
    nothing_of_it(capsys.readouterr().out)


def test_without_the_secrets_it_would_show(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The searches above, held against a task that knows no secret."""

    @guarded
    def task() -> None:
        print(*WAYS.values(), sep="\n")
        raise HeadwayError("the end")

    with pytest.raises(Exit):
        task()
    with pytest.raises(AssertionError):
        nothing_of_it(capsys.readouterr().out)

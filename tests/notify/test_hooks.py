"""Commands of the team's own: when, with what, and what happens when they misbehave."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.events import Event, RunEnded, RunStarted
from deploy.notify import hooks as module
from deploy.notify.hooks import variables

from ..views.sequences import CASES
from .render import A, B, known, rolled_back
from .told import environment, tell

EVERY = ("before_deploy", "after_host", "after_deploy", "after_failure", "after_rollback")
NOTE = """echo "$HEADWAY_HOOK $HEADWAY_HOST" >> said"""


def told(root: Path, events: Sequence[Event], **commands: str) -> tuple[list[str], float]:
    inner = ", ".join(f"{name}: {json.dumps(command)}" for name, command in commands.items())
    return tell(environment(root, f"hooks: {{{inner}}}"), events, {"GITHUB_RUN_ID": "7"})


def said(root: Path) -> list[str]:
    return [line.strip() for line in (root / "said").read_text().splitlines()]


WHEN: dict[str, tuple[list[Event], list[str]]] = {
    "a deploy": (
        CASES["success"](),
        [
            "before_deploy",
            *(f"after_host {host}" for host in ("web-1", "web-2", "web-3", "worker-1")),
            "after_deploy",
        ],
    ),
    "a deploy that fails": (
        CASES["reverted"](),
        ["before_deploy", "after_host web-1", "after_failure"],
    ),
    "a deploy that is cancelled": (
        CASES["cancelled"](),
        ["before_deploy", "after_host web-1", "after_failure"],
    ),
    "a rollback": (rolled_back(), ["after_host web-1", "after_host web-2", "after_rollback"]),
}


@pytest.mark.parametrize("case", WHEN)
def test_when_they_run(tmp_path: Path, case: str) -> None:
    events, expected = WHEN[case]
    assert told(tmp_path, events, **dict.fromkeys(EVERY, NOTE))[0] == []
    assert said(tmp_path) == expected


def test_what_they_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADWAY_LINTERS_FAILED", raising=False)  # of script/test
    events = known(CASES["success"]())
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert told(tmp_path, events, after_deploy="env > environ; cat > record")[0] == []
    lines = (tmp_path / "environ").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if line.startswith("HEADWAY_"))
    assert found == {
        "HEADWAY_HOOK": "after_deploy",
        "HEADWAY_RUN": "d-20261122-1904",
        "HEADWAY_VERB": "deploy",
        "HEADWAY_APP": "shop",
        "HEADWAY_ENVIRONMENT": "production",
        "HEADWAY_BEFORE": "v1.4.2",
        "HEADWAY_AFTER": "v1.5.0",
        "HEADWAY_COMMIT": B,
        "HEADWAY_COMMIT_BEFORE": A,
        "HEADWAY_BY": "bo@github",
        "HEADWAY_APPROVED_BY": "ana@github",
        "HEADWAY_URL": "",
        "HEADWAY_HOST": "",
        "HEADWAY_OUTCOME": "done",
        "HEADWAY_EXIT_CODE": "0",
        "HEADWAY_SECONDS": str(round(end.seconds, 1)),
        "HEADWAY_MESSAGE": "https://shop.example serves v1.5.0 on 4 hosts.",
    }
    assert json.loads((tmp_path / "record").read_text())["outcome"] == "done"


def test_every_variable_is_in_the_documents() -> None:
    record: dict[str, Any] = dict.fromkeys(
        (
            "id",
            "verb",
            "app",
            "environment",
            "before",
            "after",
            "commit",
            "commit_before",
            "by",
            "approved_by",
            "outcome",
            "exit_code",
            "seconds",
            "message",
        ),
        "\0",
    )
    found = variables("after_deploy", record | {"links": {"run": "\0"}}, "")
    page = (Path(__file__).parents[2] / "docs/notifications.md").read_text()
    assert [name for name in found if f"`{name}`" not in page] == []
    assert "\0" not in "".join(found.values())


def test_hostile_text_is_no_command(tmp_path: Path) -> None:
    events = CASES["success"]()
    worst = "$(touch stolen); `touch stolen`\n'; touch stolen #"
    start, *rest = events
    assert isinstance(start, RunStarted)
    told(tmp_path, [dataclasses.replace(start, by=worst), *rest], after_deploy='echo "$HEADWAY_BY"')
    assert not (tmp_path / "stolen").exists()


def test_one_that_fails_is_named_with_its_last_line(tmp_path: Path) -> None:
    warned, _ = told(
        tmp_path, CASES["success"](), after_deploy="echo a; echo no such tag >&2; exit 3"
    )
    assert warned == ["notify.hooks: after_deploy ended with 3: no such tag"]


def test_one_that_fails_keeps_no_other_from_running(tmp_path: Path) -> None:
    warned, _ = told(tmp_path, CASES["success"](), before_deploy="exit 1", after_deploy=NOTE)
    assert warned == ["notify.hooks: before_deploy ended with 1"]
    assert said(tmp_path) == ["after_deploy"]


def ended_soon(pid: int) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    warned, seconds = told(
        tmp_path, CASES["success"](), after_deploy="sleep 600 & echo $! > child; wait"
    )
    assert 4 < seconds < 5.5
    assert any("no time left" in text for text in warned)
    assert ended_soon(int((tmp_path / "child").read_text()))


def test_one_that_takes_long_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    warned, seconds = told(
        tmp_path, CASES["success"](), before_deploy="sleep 600", after_deploy=NOTE
    )
    assert seconds < 3
    assert warned == ["notify.hooks: before_deploy did not end within 0.5 s"]
    assert said(tmp_path) == ["after_deploy"]


def test_what_is_left_in_the_background_holds_nobody_up(tmp_path: Path) -> None:
    warned, seconds = told(
        tmp_path, CASES["success"](), after_deploy="sleep 2 & echo $! > child; exit 0"
    )
    assert (warned, seconds < 2) == ([], True)
    os.kill(int((tmp_path / "child").read_text()), 9)


def test_a_large_record_and_one_that_does_not_read_it(tmp_path: Path) -> None:
    events = CASES["success"]()
    end = events[-1]
    large = dataclasses.replace(end, message="x\n" * 500_000)  # type: ignore[call-arg]
    assert told(tmp_path, [*events[:-1], large], before_deploy="true")[0] == []


def test_nothing_is_told_of_a_run_without_a_step(tmp_path: Path) -> None:
    told(tmp_path, CASES["nothing"](), **dict.fromkeys(EVERY, NOTE))
    assert not (tmp_path / "said").exists()

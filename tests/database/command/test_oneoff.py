"""A command in a one-off container of a release: run by the real Compose, once, with a deadline."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.errors import OutcomeUnknown, Unreachable
from deploy.remote.fake import FakeHost, lost_after
from deploy.remote.host import Result
from deploy.settings.secret import MASK
from tests.database.conftest import IMAGE, docker, have

from .project import SECRET, Heard, Project, processes, values

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.fleet


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    one = Project(tmp_path, have(IMAGE), volumes=f"['{tmp_path}:/seen']")
    yield one
    one.remove()


def count(project: Project) -> int:
    """How often `echo x >>/seen/runs` has been done."""
    file = project.dir.parent / "runs"
    return file.read_text().count("x") if file.exists() else 0


def test_it_runs_as_the_service_of_the_release(project: Project) -> None:
    ran = project.command("env; echo to stderr >&2; pwd").run("d-1.migrate", Heard())
    assert ran.good
    assert ran.how == "ended with exit code 0"
    found = values(ran.said)
    assert found["DATABASE_URL"] == MASK, "what is secret is masked in its output"
    assert SECRET not in repr(ran)
    assert found["PGAPPNAME"] == "headway d-1.migrate"
    assert found["PGOPTIONS"] == "-c lock_timeout=5000 -c statement_timeout=60000"
    assert "to stderr" in ran.said
    assert project.boxes() == []


def test_how_it_ends_is_told(project: Project) -> None:
    lines = "for n in 1 2 3; do echo line $n; done; printf '\\033[2K\\033[1Gwhy\\r\\n'; exit 7"
    ran = project.command(lines).run("t", Heard())
    assert (ran.good, ran.ended, ran.how) == (False, True, "ended with exit code 7")
    assert ran.said == "line 1\nline 2\nline 3\nwhy"
    assert project.boxes() == []


def test_it_has_no_terminal_and_nothing_to_read(project: Project) -> None:
    """Though the service has both: what asks a question is told that nobody is there."""
    ask = "test -t 0 || test -t 1 || echo no terminal; read answer || echo no answer; exit 3"
    began = time.monotonic()
    ran = project.command(ask).run("t", Heard())
    assert ran.said == "no terminal\nno answer"
    assert time.monotonic() - began < 20


def test_a_secret_in_a_long_line_is_not_shown_in_part(project: Project) -> None:
    ran = project.command("printf '%0490d' 0; echo \"$DATABASE_URL\"; exit 1").run("t", Heard())
    assert ran.said == "0" * 490 + MASK


def test_one_that_somebody_removes_has_ended(project: Project) -> None:
    found = []
    one = project.command("echo begun; exec sleep 300", timeout=200)
    running = threading.Thread(target=lambda: found.append(one.run("t", Heard())))
    running.start()
    while project.box not in project.boxes() or project.inspect("{{.State.Status}}") != "running":
        time.sleep(0.1)
    docker("rm", "--force", project.box)
    running.join(timeout=60)
    (ran,) = found
    assert (ran.good, ran.ended) == (False, True)
    assert ran.how in {"was removed by somebody while it ran", "ended with exit code 137"}


def test_it_is_stopped_at_its_deadline(project: Project) -> None:
    ran = project.command("echo begun; exec sleep 300", timeout=2).run("t", Heard())
    assert (ran.good, ran.ended) == (False, True)
    assert ran.how == "did not end within 2 s, and was stopped"
    assert ran.said == "begun"
    assert project.boxes() == []


def test_the_same_token_is_not_run_twice(project: Project) -> None:
    one = project.command("echo x >>/seen/runs; echo done")
    first, again = one.run("t", Heard()), one.run("t", Heard())
    assert first == again
    assert count(project) == 1
    one.run("t-2", Heard())
    assert count(project) == 2


def started(project: Project, token: str, text: str) -> None:
    """What a script that was killed leaves: a container at work, and a log without an end."""
    docker(
        *("run", "-d", "--name", project.box, "-l", f"headway.run={token}"),
        *("-l", f"com.docker.compose.project={project.name}"),
        *("-v", f"{project.dir.parent}:/seen", "--entrypoint", "sh", IMAGE, "-c", text),
    )


def test_a_run_whose_script_was_killed_is_taken_up_again(project: Project) -> None:
    text = "sleep 2; echo x >>/seen/runs; echo finished; exit 4"
    started(project, "t", text)
    heard = Heard()
    ran = project.command(text).run("t", heard)
    assert heard == [("the command had been started already", False)]
    assert (ran.how, ran.said) == ("ended with exit code 4", "finished")
    assert count(project) == 1
    assert project.boxes() == []


def test_an_earlier_command_is_waited_for(project: Project) -> None:
    started(project, "of-yesterday", "sleep 2; echo x >>/seen/runs")
    heard = Heard()
    ran = project.command("cat /seen/runs; echo x >>/seen/runs").run("t", heard)
    assert heard == [("an earlier command is still there, and is waited for", False)]
    assert (ran.how, ran.said) == ("ended with exit code 0", "x")
    assert count(project) == 2
    assert project.boxes() == []


def test_a_container_that_never_began_is_made_anew(project: Project) -> None:
    docker(
        *("create", "--name", project.box, "-l", "headway.run=t"),
        *("-l", f"com.docker.compose.project={project.name}", IMAGE, "false"),
    )
    assert project.command("echo x >>/seen/runs").run("t", Heard()).good
    assert count(project) == 1


def test_two_at_once_go_one_after_the_other(project: Project) -> None:
    text = "test ! -e /seen/busy || exit 9; touch /seen/busy; sleep 2; rm /seen/busy"
    found = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(project.command(text).run(n, Heard())))
        for n in ("t-1", "t-2")
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one.how for one in found] == ["ended with exit code 0"] * 2


def test_what_cannot_be_started_says_why(project: Project) -> None:
    text = (project.release / "compose.yaml").read_text()
    changed = text.replace("tty: true", "working_dir: /etc/passwd")
    (project.release / "compose.yaml").write_text(changed)
    ran = project.command("true").run("t", Heard())
    assert (ran.good, ran.ended) == (False, True)
    assert ran.how == "was not run: the command could not be started"
    assert "/etc/passwd" in ran.said
    assert project.boxes() == [], "made, and never started"
    (project.release / "compose.yaml").unlink()
    ran = project.command("true").run("t-2", Heard())
    assert ran.how == "was not run: the release v2-0a1b2c3d is not on this host"
    assert project.boxes() == []


def test_no_secret_is_among_the_arguments_of_a_process(project: Project) -> None:
    seen = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            seen.append(processes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ran = project.command('sleep 1; test -n "$DATABASE_URL"').run("t", Heard())
    finally:
        ended.set()
        watcher.join()
    assert ran.good
    assert any(project.box in one for one in seen), "it was looked at while it ran"
    assert not any(SECRET in one for one in seen)


class Flaky:
    """This machine, whose connection goes away once: before a command is begun, or behind it."""

    def __init__(self, project: Project, *answers: object) -> None:
        self.answers = list(answers)
        self.host, self.name = project.host, "web-1"

    def exec(self, argv: object, **how: object) -> Result:
        answer = self.answers.pop(0) if self.answers else None
        if answer == "before":
            raise OutcomeUnknown(self.name, "cut")
        result: Result = self.host.exec(argv, **how)  # type: ignore[arg-type]
        if answer == "after":
            raise OutcomeUnknown(self.name, "cut")
        return result

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_connection_does_not_run_it_twice(project: Project, when: str) -> None:
    host = Flaky(project, when)
    heard = Heard()
    ran = project.command("echo x >>/seen/runs; echo done", host=host).run("t", heard)  # type: ignore[arg-type]
    assert (ran.how, ran.said) == ("ended with exit code 0", "done")
    assert ("the connection was lost; asking the host again", True) in heard
    assert count(project) == 1


def test_a_script_that_was_killed_leaves_it_unknown(project: Project) -> None:
    killed = FakeHost("web-1", lambda _call: Result(137, b"", b"Killed", 1.0))
    ran = project.command("true", host=killed).run("t", Heard())  # type: ignore[arg-type]
    assert (ran.good, ran.ended, ran.said) == (False, False, "Killed")
    assert ran.how == "may still be running: the script ended with exit code 137"


def test_a_host_that_does_not_come_back_leaves_it_unknown(project: Project) -> None:
    gone = FakeHost("web-1", lost_after(Result(0, b"", b"", 0)))
    one = project.command("true", host=gone)  # type: ignore[arg-type]
    ran = one.run("t", Heard())
    assert not ran.ended
    assert ran.how.startswith("may still be running: the connection was lost")
    nobody = FakeHost("web-1", [("", Unreachable("web-1", "no route"))])
    with pytest.raises(Unreachable):
        project.command("true", host=nobody).run("t", Heard())  # type: ignore[arg-type]


def test_the_log_on_the_host_is_its_users_alone(project: Project) -> None:
    project.command("echo done").run("t", Heard())
    log = project.dir / ".headway" / "run" / "t.log"
    assert log.stat().st_mode & 0o777 == 0o600

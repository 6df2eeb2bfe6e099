"""`inv plan --out` and `inv deploy --plan-file`, on hosts that are in memory."""

from __future__ import annotations

import re
import shlex
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy.errors import UsageError
from deploy.lease.words import Seen
from deploy.situation import Situation
from deploy.tasks import deploy, migrate, plan

from ..faults.faulty import Course
from ..faults.fleet import Fleet
from .test_leased import BEGAN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Lease:
    """The lease of an environment that nobody else wants; `records` are those of other runs."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.seen = Seen(None, None, records)
        self.token = 1_000_000
        self.lines: list[Any] = []

    unheard = ""

    def record(self, *lines: Any) -> None:
        self.lines += lines

    note = record


class Typed:
    """`inv` in a repository whose hosts are the fleet's."""

    def __init__(self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fleet = fleet
        self.lease = Lease()
        self.runs = 100
        monkeypatch.setattr(plan, "situation", self.situation)
        monkeypatch.setattr(deploy, "situation", self.situation)
        monkeypatch.setattr(deploy, "leased", self.leased)
        monkeypatch.setattr(migrate, "situation", self.situation)
        monkeypatch.setattr(migrate, "leased", self.leased)
        monkeypatch.setattr("deploy.settings.names.known", lambda _root, _name: None)

    @contextmanager
    def situation(self, _root: Path, _name: str, only: Sequence[str] = ()) -> Iterator[Situation]:
        with self.fleet._in_memory():
            one = Situation.of(self.fleet.environment)
            one = one.only(only) if only else one
            self.runs += 1
            one.run = f"d-{self.runs}"
            yield one

    @contextmanager
    def leased(self, *_: object, **__: object) -> Iterator[Lease]:
        yield self.lease

    def plan(self, **typed: Any) -> None:
        plan.make(Path(), "staging").body(Context(), **typed)

    def deploy(self, **typed: Any) -> int:
        """The exit code."""
        try:
            deploy.make(Path(), "staging").body(Context(), **typed)
        except Exit as ended:
            return ended.code
        return 0

    def migrate(self, **typed: Any) -> int:
        """The exit code."""
        try:
            migrate.make(Path(), "staging").body(Context(), **typed)
        except Exit as ended:
            return ended.code
        return 0

    def on(self) -> set[str]:
        return {str(one.settled_on()).partition("-")[0] for one in self.fleet.machines.values()}


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    fleet = Fleet.new(tmp_path, {"bake": "0s", "min_healthy_time": "0s"})
    ran = fleet.run("v1", Course())
    assert ran.ended is not None
    assert ran.ended.exit_code == 0
    return Typed(fleet, monkeypatch)


@pytest.fixture
def file(typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A plan of v2."""
    name = str(tmp_path / "a plan.json")
    typed.plan(tag="v2", out=name)
    assert f"inv deploy.staging --plan-file '{name}'" in capsys.readouterr().out
    return name


def test_exactly_that_plan_is_carried_out(typed: Typed, file: str) -> None:
    assert typed.deploy(plan_file=file) == 0
    assert typed.on() == {"v2"}


@pytest.mark.parametrize("name", ["a plan", "$(id)", "it's", "a;b", "-v", "*", "é"])
def test_the_file_is_one_word_of_what_to_type_next(
    typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    whole = str(tmp_path / name)
    typed.plan(tag="v2", out=whole)
    _, _, line = capsys.readouterr().out.strip().rpartition("changed. ")
    assert shlex.split(line) == ["inv", "deploy.staging", "--plan-file", whole]


@pytest.mark.parametrize("verb", ["plan", "deploy"])
def test_a_plan_in_a_file_is_of_all_hosts(typed: Typed, file: str, verb: str) -> None:
    body = plan.make(Path(), "staging").body
    typed_with = {"out": file}
    if verb == "deploy":
        body = deploy.make(Path(), "staging").body
        typed_with = {"plan_file": file}
    with pytest.raises(Exit, match="is about all hosts, and --only-host leaves some out") as ended:
        body(Context(), **typed_with, only_host=["web-1"])
    assert ended.value.code == 2


def test_once_it_is_done_it_is_another_world(
    typed: Typed, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed.deploy(plan_file=file) == 0
    lines = len(typed.lease.lines)
    assert typed.deploy(plan_file=file) == 3
    assert "web-1  was on v1-" in capsys.readouterr().out
    assert len(typed.lease.lines) == lines


def test_somebody_else_was_faster(
    typed: Typed, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    typed.fleet.run("v3", Course())
    assert typed.deploy(plan_file=file) == 3
    said = capsys.readouterr().out
    assert "this is not what was planned any more" in said
    assert "web-2  was on v1-" in said
    assert "Nothing has been changed." in said
    assert "inv plan.staging --tag v2 --out FILE" in said
    assert typed.on() == {"v3"}
    assert typed.lease.lines == []


def test_a_hosts_file_that_says_something_else(
    typed: Typed, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rollout = typed.fleet.environment.rollout.model_copy(update={"max_parallel": 2})
    typed.fleet.environment = typed.fleet.environment.model_copy(update={"rollout": rollout})
    assert typed.deploy(plan_file=file) == 3
    assert "hosts/staging.yaml  rollout: says something else" in capsys.readouterr().out
    assert typed.on() == {"v1"}


def test_what_a_dead_run_has_left_comes_first(
    typed: Typed, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    typed.lease = Lease(BEGAN)
    assert typed.deploy(plan_file=file) == 3
    said = capsys.readouterr().out
    assert "d-1 died, and what it has left comes first" in said
    assert "inv recover.staging" in said
    assert typed.on() == {"v1"}


def test_in_actions_the_plan_is_shown_and_later_jobs_hear_of_it(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, outputs = tmp_path / "summary", tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    typed.plan(tag="v2")
    typed.plan(tag="v1")
    assert summary.read_text().startswith("### shop · staging · v1 → v2\n\n```text\n")
    assert "Nothing to do: every host is on v1." in summary.read_text()
    first, second = outputs.read_text().split("changes=")[1:]
    assert re.fullmatch(r"true\ntag=v2\nrelease=v2-[0-9a-f]{8}\n", first)
    assert second.startswith("false\ntag=v1\n")


def test_a_tag_that_is_not_the_image_that_was_built(
    typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    built = f"sha256:{b'v2'.hex():0<64}"
    assert typed.deploy(tag="v2", digest="sha256:0") == 3
    assert f"v2 is {built} in the registry, and sha256:0 was asked for" in capsys.readouterr().out
    assert typed.on() == {"v1"}
    assert typed.deploy(tag="v2", digest=built) == 0
    assert typed.on() == {"v2"}


def test_where_people_approve_it_takes_somebody_else(
    typed: Typed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment = typed.fleet.environment.model_copy(update={"approvers": ["ana", "bo"]})
    typed.fleet.environment = environment
    monkeypatch.setenv("GITHUB_ACTOR", "ana")
    name = str(tmp_path / "plan.json")
    typed.plan(tag="v2", out=name)
    assert typed.deploy(tag="v2") == 3
    assert typed.deploy(plan_file=name) == 3
    said = capsys.readouterr().out
    assert "staging takes an approval, by one of ana, bo" in said
    assert "ana@github has ordered it, and can't approve it" in said
    assert typed.lease.lines == []
    monkeypatch.setenv("GITHUB_ACTOR", "bo")
    assert typed.deploy(plan_file=name) == 0
    assert typed.on() == {"v2"}
    began = next(line for line in typed.lease.lines if line["what"] == "began")
    assert began["by"] == "ana@github, approved by bo@github"


def test_migrations_alone_take_somebody_else_too(
    typed: Typed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert typed.migrate(tag="v2") == 0
    environment = typed.fleet.environment.model_copy(update={"approvers": ["ana", "bo"]})
    typed.fleet.environment = environment
    monkeypatch.setenv("GITHUB_ACTOR", "ana")
    name = str(tmp_path / "plan.json")
    typed.plan(tag="v2", out=name)
    capsys.readouterr()
    assert typed.migrate(tag="v2") == 3
    assert "inv plan.staging --out FILE, and they: inv migrate.staging --plan-file FILE" in (
        capsys.readouterr().out
    )
    assert typed.migrate(plan_file=name) == 3
    monkeypatch.setenv("GITHUB_ACTOR", "cy")
    assert typed.migrate(plan_file=name) == 3
    assert "cy@github may not approve a migrate to staging" in capsys.readouterr().out
    monkeypatch.setenv("GITHUB_ACTOR", "bo")
    assert typed.migrate(plan_file=name) == 0
    assert "nothing pending" in capsys.readouterr().out


def test_migrations_are_those_of_the_plan_or_none(
    typed: Typed, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed.migrate(plan_file=file, tag="v2") == 2
    typed.fleet.run("v3", Course())
    assert typed.migrate(plan_file=file) == 3
    assert "this is not what was planned any more" in capsys.readouterr().out
    typed.lease = Lease(BEGAN)
    for given, then in (
        ({"plan_file": file}, "inv plan.staging --out FILE"),
        ({"tag": "v3"}, "inv migrate.staging"),
    ):
        assert typed.migrate(**given) == 3
        said = capsys.readouterr().out
        assert "d-1 died, and what it has left comes first" in said
        assert f"inv recover.staging; then {then}" in said


def test_who_approved_at_github_is_written_down(
    typed: Typed, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.github.approvals.approver", lambda _environ, name: f"bo-of-{name}")
    assert typed.deploy(plan_file=file) == 0
    began = next(line for line in typed.lease.lines if line["what"] == "began")
    assert began["by"].endswith(", approved by bo-of-staging@github")


def test_a_tag_beside_it(typed: Typed, file: str) -> None:
    assert typed.deploy(plan_file=file, tag="v2") == 2
    assert typed.on() == {"v1"}


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"{}"])
def test_a_file_that_is_none(typed: Typed, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    assert typed.deploy(plan_file=str(path)) == 2
    assert typed.on() == {"v1"}


def test_a_plan_that_cannot_be_written(typed: Typed, tmp_path: Path) -> None:
    with pytest.raises(Exit) as caught:
        typed.plan(tag="v2", out=str(tmp_path / "no" / "folder"))
    assert caught.value.code == UsageError.exit_code
    assert "No such file or directory" in str(caught.value.message)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")


@pytest.mark.usefixtures("terminal")
def test_no_question_is_asked_of_who_has_a_plan(typed: Typed, file: str) -> None:
    assert typed.deploy(plan_file=file) == 0
    assert typed.on() == {"v2"}


@pytest.mark.usefixtures("terminal")
def test_no_question_is_asked_in_actions(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job may have a terminal, and nobody sits before it."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert typed.deploy(tag="v2") == 0
    assert typed.on() == {"v2"}

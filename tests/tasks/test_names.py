"""What can be typed: every verb for every environment, bare verbs, and names that are wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invoke.collection import Collection
from invoke.executor import Executor

from deploy.tasks import VERBS, build
from deploy.tasks.edge import Verb, verb

from .repository import ROOT, Repository

if TYPE_CHECKING:
    from invoke.context import Context

EVERY = (
    "backup",
    "cdn",
    "check",
    "deploy",
    "exec",
    "history",
    "lock",
    "logs",
    "migrate",
    "plan",
    "recover",
    "report",
    "restore",
    "rollback",
    "setup",
    "smoke",
    "status",
    "unlock",
)
"""The verbs of the design that there are."""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "acme")


def names(root: Path, *typed: str) -> set[str]:
    return set(build(root, typed).task_names)


def test_every_verb_has_every_environment(repository: Repository) -> None:
    for name in ("staging", "production"):
        repository.environment(name)
    expected = {f"{one}.{name}" for one in EVERY for name in ("staging", "production")}
    more = {f"{one}.which" for one in EVERY}
    sandbox = {"up", "down", "release", "break", "load", "told"}
    beside = {"schema", *(f"sandbox.{one}" for one in sandbox)}
    assert names(repository.folder) == expected | more | beside
    assert set(VERBS) == set(EVERY)


def test_the_reference_is_no_environment(repository: Repository) -> None:
    repository.environment("reference")
    repository.environment("staging")
    assert not [name for name in names(repository.folder) if "reference" in name]


def test_this_repository_lists_its_own() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("inv")), "--list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for name in ("staging", "production", "sandbox"):
        for one in EVERY:
            assert f"  {one}.{name} " in done.stdout
    # What `inv deploy` alone means is seen in the list.
    assert "deploy.sandbox (deploy)" in done.stdout
    assert "which" not in done.stdout


# --- bare verbs ----------------------------------------------------------------------------------


def usual(collection: Collection, word: str) -> str:
    return str(collection.collections[word].default)


def test_the_only_environment_is_the_usual_one(repository: Repository) -> None:
    repository.environment("staging")
    assert usual(build(repository.folder), "deploy") == "staging"
    done = repository.inv("plan", "--tag", "-v")
    assert done.returncode == 2
    assert "'-v' is no tag" in done.stderr


def test_invoke_yaml_names_the_usual_one(repository: Repository) -> None:
    for name in ("staging", "production"):
        repository.environment(name)
    for text in (
        "default_environment: staging",
        "run: {echo: true}\ndefault_environment: 'staging'\n",
        'default_environment:   "staging"  # the safe one\n',
    ):
        repository.write("invoke.yaml", text)
        assert usual(build(repository.folder), "deploy") == "staging"


def test_the_variable_wins_over_invoke_yaml(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("staging", "production"):
        repository.environment(name)
    repository.write("invoke.yaml", "default_environment: staging\n")
    monkeypatch.setenv("DEPLOY_ENVIRONMENT", "production")
    assert usual(build(repository.folder), "deploy") == "production"


def test_no_usual_one_names_the_choices(repository: Repository) -> None:
    for name in ("staging", "production"):
        repository.environment(name)
    done = repository.inv("deploy")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "deploy which environment?\n"
        "Nothing has been changed.\n"
        "There is deploy.production, deploy.staging. A bare verb takes DEPLOY_ENVIRONMENT, "
        "or default_environment in invoke.yaml.\n"
        "exit 2\n"
    )


@pytest.mark.parametrize("where", ["DEPLOY_ENVIRONMENT", "invoke.yaml"])
def test_a_usual_one_that_does_not_exist(repository: Repository, where: str) -> None:
    """Even where there is only one: somebody meant another."""
    repository.environment("staging")
    if where == "invoke.yaml":
        repository.write("invoke.yaml", "default_environment: prod\n")
    else:
        repository.environ[where] = "prod"
    done = repository.inv("plan")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"{where} says prod, and there is no hosts/prod.yaml"
    assert "plan.staging" in done.stderr


def test_no_environment_at_all(repository: Repository) -> None:
    done = repository.inv("status")
    assert done.returncode == 2
    assert "none: hosts/ has no *.yaml" in done.stderr


def test_no_hosts_folder_at_all(tmp_path: Path) -> None:
    assert "deploy.which" in names(tmp_path)


# --- names that are wrong ------------------------------------------------------------------------


@pytest.mark.parametrize("one", EVERY)
def test_an_environment_that_does_not_exist(repository: Repository, one: str) -> None:
    for name in ("staging", "production"):
        repository.environment(name)
    done = repository.inv(f"{one}.producton", *(["ls"] if one == "exec" else []))
    assert done.returncode == 2
    text = done.stdout + done.stderr
    assert "there is no environment 'producton'; did you mean production?" in text
    assert "The environments are: production, staging" in text


@pytest.mark.parametrize("name", ["Production", "9", "prod-eu", "production2"])
def test_the_near_ones_are_named(repository: Repository, name: str) -> None:
    repository.environment("production")
    done = repository.inv(f"deploy.{name}")
    assert done.returncode == 2
    assert "The environments are: production" in done.stderr + done.stdout


@pytest.mark.parametrize("name", ["prod.eu", "a b", "ä", "", "x;id"])
def test_what_can_be_no_name_is_left_to_invoke(repository: Repository, name: str) -> None:
    repository.environment("production")
    done = repository.inv(f"deploy.{name}")
    assert done.returncode == 1
    assert done.stderr == f"No idea what 'deploy.{name}' is!\n"


def test_the_flags_of_a_verb_are_known_for_a_name_that_is_wrong(repository: Repository) -> None:
    repository.environment("production")
    done = repository.inv("deploy.prod", "--tag", "v1", "--yes")
    assert done.returncode == 2
    assert "did you mean production?" in done.stderr


def test_a_name_that_is_wrong_is_in_no_list(repository: Repository) -> None:
    repository.environment("production")
    assert "deploy.prod" in names(repository.folder, "deploy.prod")
    for typed in (["--", "inv", "deploy.prod"], ["--list"], ["plan.production"], ["xdeploy.prod"]):
        assert not [name for name in names(repository.folder, *typed) if name.endswith(".prod")]


def test_underscores_are_dashes_as_everywhere_in_invoke(repository: Repository) -> None:
    repository.environment("my_site")
    assert "plan.my-site" in names(repository.folder, "plan.my_site")
    done = repository.inv("plan.my-site", "--tag", "-v")
    assert done.returncode == 2
    assert "is no tag" in done.stderr


# --- two in one line -----------------------------------------------------------------------------


def test_a_task_is_equal_to_itself_alone() -> None:
    def make() -> Verb:
        @verb(name="staging", help={})
        def one(_c: Context) -> None:
            """Do."""

        return one

    first, second = make(), make()
    assert first == first  # noqa: PLR0124
    assert first != second
    assert len({first, second}) == 2


def test_two_verbs_in_one_line_are_both_done() -> None:
    """Invoke leaves out what it takes for the same task, and compares names and code."""
    done: list[str] = []
    namespace = Collection()
    for word in ("check", "status"):

        @verb(name="staging", help={})
        def one(_c: Context, word: str = word) -> None:
            """Do."""
            done.append(word)

        namespace.add_collection(Collection(word, one))
    Executor(namespace).execute("check.staging", "status.staging")
    assert done == ["check", "status"]


# --- help and completion -------------------------------------------------------------------------


@pytest.mark.parametrize("one", EVERY)
def test_help_explains_every_flag(repository: Repository, one: str) -> None:
    repository.environment("staging")
    task = build(repository.folder).collections[one].tasks["staging"]
    assert task.__doc__
    assert task.__doc__.endswith(".")
    assert "staging" in task.__doc__
    arguments = task.get_arguments()
    assert all(argument.help for argument in arguments), [a.name for a in arguments]
    assert all(len(argument.names) == 1 for argument in arguments)


HELP = {
    "deploy": """\
Usage: inv[oke] [--core-opts] deploy.staging [--options] [other tasks here ...]

Docstring:
  Roll a release over staging; put everything back when something fails.

Options:
  --digest=STRING      refuse it unless the tag is this image: sha256:…
  --only-host          leave all hosts but this one as they are; may be given
                       more than once
  --plan-file=STRING   do exactly what inv plan --out wrote there, or nothing
  --tag=STRING         the image's tag; without it, the commit that is checked
                       out
  --wait=STRING        how long to wait for who has the lease or holds it: 15m
  --yes                do not ask, even before a terminal

""",
    "rollback": """\
Usage: inv[oke] [--core-opts] rollback.staging [--options] [other tasks here ...]

Docstring:
  Take staging back to the release before, on all hosts at once.

Options:
  --only-host       leave all hosts but this one as they are; may be given more
                    than once
  --preempt         ask a run that is at work to stop at its next safe point
  --reason=STRING   why, for whoever finds it taken
  --to=STRING       a tag or a release's id; without it, the last good release
                    before this one
  --wait=STRING     how long to wait for who has the lease or holds it: 15m
  --with-database   then take back what has been applied since, if nothing is
                    lost by it

""",
}


@pytest.mark.parametrize("one", HELP)
def test_help_reads_well(repository: Repository, one: str) -> None:
    repository.environment("staging")
    done = repository.inv("--help", f"{one}.staging")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == HELP[one]


def test_completion_prints_the_names(repository: Repository) -> None:
    for name in ("staging", "production"):
        repository.environment(name)
    began = time.monotonic()
    done = repository.inv("--complete", "--", "inv", "deploy.s")
    seconds = time.monotonic() - began
    assert done.returncode == 0
    assert {"deploy.staging", "deploy.production", "rollback.staging"} <= set(
        done.stdout.splitlines()
    )
    assert "deploy.s" not in done.stdout.splitlines()
    # 0.2 s on a quiet machine; more than this cannot be the noise of a busy one alone.
    assert seconds < 3


def test_completion_prints_the_flags(repository: Repository) -> None:
    repository.environment("staging")
    done = repository.inv("--complete", "--", "inv", "plan.staging", "--")
    assert set(done.stdout.splitlines()) == {
        "--tag",
        "--rehearse",
        "--digest",
        "--json",
        "--out",
        "--compose",
        "--detailed-exit-code",
        "--only-host",
    }

"""The workflows: what linters say of them, and what no linter knows.

They are executed by `tests/fleet/test_workflows.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
CALLED = sorted(
    path for path in (ROOT / ".github" / "workflows").glob("*.yml") if path.name != "ci.yml"
)
EXAMPLES = sorted((ROOT / "examples" / "github").glob("*.yml"))
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), *EXAMPLES]
ACTION = ROOT / ".github" / "actions" / "setup" / "action.yml"
BIN = Path(sys.executable).parent


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def loaded(path: Path) -> dict[str, Any]:
    """A workflow; YAML takes `on` for a boolean."""
    content: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in content.items()}


def jobs() -> list[Any]:
    return [
        pytest.param(path, name, job, id=f"{shown(path)}:{name}")
        for path in WORKFLOWS
        for name, job in loaded(path)["jobs"].items()
    ]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        words,
        cwd=ROOT,
        env={"PATH": path, "HOME": os.environ.get("HOME", "/"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# --- linters -------------------------------------------------------------------------------------


def linted(*paths: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    names = [str(path) for path in paths]
    return {
        "jactionlint": run("jactionlint", "--oneline", "--strict-exit", "--no-online", *names),
        "zizmor": run(
            "zizmor", "--offline", "--strict-collection", "--no-progress", "--format=plain",
            "--config", str(ROOT / ".github" / "zizmor.yml"), *names,
        ),
        "check-jsonschema": run(
            "check-jsonschema", "--builtin-schema", "vendor.github-workflows",
            *(name for name in names if not name.endswith("action.yml")),
        ),
    }  # fmt: skip


def test_linters_find_nothing() -> None:
    for name, done in linted(*WORKFLOWS, ACTION).items():
        assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"


def test_the_action_has_the_schema_of_one() -> None:
    done = run("check-jsonschema", "--builtin-schema", "vendor.github-actions", str(ACTION))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("was", "becomes", "finds"),
    [
        ("exec inv", 'exec inv "${{ inputs.environment }}"', {"jactionlint", "zizmor"}),
        ("persist-credentials: false", "fetch-tags: false", {"jactionlint", "zizmor"}),
        ("runs-on:", "runs-onn:", {"jactionlint", "check-jsonschema"}),
        ("needs: build", "needs: bild", {"jactionlint"}),
    ],
)
def test_linters_find_what_is_wrong(
    tmp_path: Path, was: str, becomes: str, finds: set[str]
) -> None:
    text = (ROOT / ".github/workflows/deploy-staging.yml").read_text()
    assert was in text
    bad = tmp_path / ".github" / "workflows" / "bad.yml"
    bad.parent.mkdir(parents=True)
    bad.write_text(text.replace(was, becomes))
    assert finds <= {name for name, done in linted(bad).items() if done.returncode != 0}


# --- what they have to be ------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=shown)
def test_nothing_is_allowed_that_no_job_asks_for(path: Path) -> None:
    assert loaded(path)["permissions"] == {}


@pytest.mark.parametrize(("path", "name", "job"), jobs())
def test_a_job_says_what_it_may_and_for_how_long(
    path: Path, name: str, job: dict[str, Any]
) -> None:
    del name
    assert job["permissions"]
    assert (
        not {"write-all", "read-all"} & {job["permissions"]}
        if isinstance(job["permissions"], str)
        else True
    )
    if "uses" not in job:
        assert job["timeout-minutes"]
        assert path.parent.name == "workflows"


@pytest.mark.parametrize(("path", "name", "job"), jobs())
def test_nothing_that_deploys_is_ever_cancelled(path: Path, name: str, job: dict[str, Any]) -> None:
    del name
    everywhere = [job.get("concurrency"), loaded(path).get("concurrency")]
    if path.name == "ci.yml":
        return
    for one in everywhere:
        if one is not None:
            assert one["cancel-in-progress"] is False
    if any("inv" in step.get("run", "") and "plan." not in step["run"] for step in steps(job)):
        assert job["concurrency"]["group"].startswith("headway-")


def steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    return list(job.get("steps", []))


@pytest.mark.parametrize(("path", "name", "job"), jobs())
def test_inv_is_the_first_process_of_its_step(path: Path, name: str, job: dict[str, Any]) -> None:
    """A runner that is cancelled signals that one alone; under a shell, `inv` would go on."""
    del path, name
    for step in steps(job):
        text = step.get("run", "")
        if re.search(r"\binv\b", text):
            assert re.fullmatch(r"exec inv [^\n;&|]+\n?", text), text


@pytest.mark.parametrize(("path", "name", "job"), jobs())
def test_what_people_type_comes_through_the_environment(
    path: Path, name: str, job: dict[str, Any]
) -> None:
    del path, name
    for step in steps(job):
        assert "${{" not in step.get("run", ""), step


def test_the_action_takes_nothing_into_its_text() -> None:
    action = yaml.safe_load(ACTION.read_text())
    assert all("${{" not in step.get("run", "") for step in action["runs"]["steps"])


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=shown)
def test_everything_foreign_is_pinned_by_its_commit(path: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses: (\S+)(.*)$", path.read_text(), re.MULTILINE)
    for what, comment in used:
        if what.startswith("./.headway-source/"):
            continue  # checked out at the commit of the called workflow
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", what), what
        assert comment.startswith(" # "), what


@pytest.mark.parametrize(("path", "name", "job"), jobs())
def test_a_checkout_keeps_no_token(path: Path, name: str, job: dict[str, Any]) -> None:
    del path, name
    for step in steps(job):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(("path", "name", "job"), jobs())
def test_a_run_that_fails_or_is_cancelled_is_recovered(
    path: Path, name: str, job: dict[str, Any]
) -> None:
    del path, name
    words = [re.match(r'exec inv "(\w+)\.', step.get("run", "")) for step in steps(job)]
    typed = [match[1] for match in words if match]
    if typed and typed != ["plan"]:
        assert typed[-1] == "recover"
        last, deploying = steps(job)[-1], steps(job)[-2]
        assert "failure() || cancelled()" in last["if"]
        assert job["environment"]["name"]
        assert job["environment"]["url"] == f"${{{{ steps.{deploying['id']}.outputs.url }}}}"


@pytest.mark.parametrize("path", CALLED, ids=shown)
def test_this_repository_has_no_hosts_and_deploys_to_none(path: Path) -> None:
    """A library's own pushes must not deploy: what deploys is called, by a team's repository."""
    assert loaded(path)["on"].keys() == {"workflow_call"}


@pytest.mark.parametrize("path", CALLED, ids=shown)
def test_secrets_are_those_of_an_environment(path: Path) -> None:
    for job in loaded(path)["jobs"].values():
        if "secrets." in json.dumps(job):
            assert job["environment"]


# --- what they build -----------------------------------------------------------------------------

BUILDS = {"deploy-staging.yml": "build", "deploy-production.yml": "image"}
TAGS = {"deploy-staging.yml": "github.sha", "deploy-production.yml": "inputs.tag"}


def called(name: str) -> dict[str, Any]:
    found: dict[str, Any] = loaded(ROOT / ".github" / "workflows" / name)["jobs"]
    return found


def step(job: dict[str, Any], key: str, value: str) -> dict[str, Any]:
    (found,) = (one for one in steps(job) if str(one.get(key, "")).startswith(value))
    return found


@pytest.mark.parametrize("name", BUILDS)
def test_what_is_built_can_be_traced_back(name: str) -> None:
    job = called(name)[BUILDS[name]]
    meta = step(job, "uses", "docker/metadata-action@")["with"]
    assert meta["images"] == "${{ inputs.image }}"
    assert meta["tags"] == f"type=raw,value=${{{{ {TAGS[name]} }}}}", "a tag that nobody moves"
    assert meta["flavor"] == "latest=false"
    given = step(job, "uses", "docker/build-push-action@")["with"]
    assert (given["push"], given["provenance"], given["sbom"]) == (True, "mode=max", True)
    assert given["tags"] == "${{ steps.meta.outputs.tags }}"
    assert given["labels"].splitlines() == [
        "${{ steps.meta.outputs.labels }}",
        "headway.author=${{ steps.commit.outputs.author }}",
        "headway.subject=${{ steps.commit.outputs.subject }}",
    ]
    assert given["cache-from"] == "type=gha"
    # A tag's run reads what the default branch has written, and writes nothing.
    assert given.get("cache-to") == ("type=gha,mode=max" if BUILDS[name] == "build" else None)


def test_what_is_built_is_what_is_deployed() -> None:
    staging, production = (called(name) for name in BUILDS)
    assert staging["build"]["outputs"] == {"digest": "${{ steps.build.outputs.digest }}"}
    assert production["image"]["outputs"] == {
        "digest": "${{ steps.find.outputs.digest || steps.build.outputs.digest }}"
    }
    for job, name, before in ((staging["deploy"], "Deploy", "build"),
                              (production["plan"], "Plan", "image")):  # fmt: skip
        one = step(job, "name", name)
        assert before in job["needs"]
        assert one["env"]["DIGEST"] == f"${{{{ needs.{before}.outputs.digest }}}}"
        assert '${DIGEST:+--digest "$DIGEST"}' in one["run"]


def test_a_plan_is_shown_before_anybody_is_asked_and_that_plan_is_deployed() -> None:
    production = called("deploy-production.yml")
    plan, deploy = production["plan"], production["deploy"]
    assert deploy["needs"] == "plan"
    assert (plan["environment"], deploy["environment"]["name"]) == (
        "${{ inputs.plan-environment }}",
        "${{ inputs.environment }}",
    )
    written = step(plan, "uses", "actions/upload-artifact@")["with"]
    assert step(plan, "name", "Plan")["run"].endswith(' --out "$RUNNER_TEMP/plan.json"')
    read = step(deploy, "uses", "actions/download-artifact@")["with"]
    assert written["path"] == "${{ runner.temp }}/plan.json"
    assert (read["name"], read["path"]) == (written["name"], "${{ runner.temp }}/plan")
    assert ' --plan-file "$RUNNER_TEMP/plan/plan.json"' in step(deploy, "name", "Deploy")["run"]


@pytest.mark.parametrize("name", BUILDS)
def test_a_commit_speaks_for_itself_and_no_more(tmp_path: Path, name: str) -> None:
    """It comes from whoever pushes, and ends in a file of outputs and in a list of labels."""
    subject = 'Say "hi",\r"to" $(id) #1 ${{ github.token }} ünd ends'
    git = ["git", "-C", str(tmp_path), "-c", "user.name=Ana O'Hara", "-c", "user.email=a@acme.test"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", f"{subject}\n\nx=y"]):
        subprocess.run([*git, *words], check=True)
    outputs = tmp_path / "outputs"
    words = step(called(name)[BUILDS[name]], "id", "commit")["run"]
    environ = {"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(outputs), "LC_ALL": "C.UTF-8"}
    subprocess.run(["bash", "-e", "-c", words], cwd=tmp_path, env=environ, check=True)
    assert outputs.read_bytes().decode().split("\n") == [
        "author=Ana O'Hara",
        "subject=Say 'hi','to' $(id) #1 ${{ github.token }} ünd ends",
        "",
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=shown)
def test_an_example_calls_what_there_is_with_inputs_that_it_has(path: Path) -> None:
    for job in loaded(path)["jobs"].values():
        called = re.fullmatch(r"acme/headway/(\S+)@[0-9a-f]{40}", job["uses"])
        assert called
        target = loaded(ROOT / called[1])
        inputs = target["on"]["workflow_call"]["inputs"]
        assert job["with"].keys() <= inputs.keys()
        assert {key for key, one in inputs.items() if one.get("required")} <= job["with"].keys()
        asked: dict[str, str] = {}
        for inner in target["jobs"].values():
            asked |= inner["permissions"]
        given = job["permissions"]
        assert given.keys() == asked.keys(), "a called job gets no more than its caller has"
        assert job["secrets"] == "inherit"


@pytest.mark.parametrize("path", EXAMPLES, ids=shown)
def test_an_example_is_as_short_as_docs_say(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert 12 <= len(lines) <= 21
    for page in ("README.md", "docs/github.md"):
        assert "of 12 to 21 lines" in (ROOT / page).read_text()


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=shown)
def test_docs_name_every_secret_and_variable(path: Path) -> None:
    page = (ROOT / "docs" / "github.md").read_text()
    for name in re.findall(r"\b(?:secrets|vars)\.([A-Z_]+)", path.read_text()):
        assert f"`{name}`" in page


@pytest.mark.parametrize("path", CALLED, ids=shown)
def test_docs_name_every_input(path: Path) -> None:
    page = (ROOT / "docs" / "github.md").read_text()
    for name in loaded(path)["on"]["workflow_call"]["inputs"]:
        assert f"`{name}`" in page, name

"""A run is told again from another folder than the one in which it was typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from deploy.smoke.result import Outcome as Smoke
from deploy.story.codec import from_json
from tests.fleet.project import Project, on_host

if TYPE_CHECKING:
    from deploy.story.story import Story

STORIES = "/srv/shop/.headway/lease/stories"


def told(project: Project, *words: str) -> Story:
    done = project.inv("report", *words, "--json")
    assert done.exit_code == 0, done.text
    return from_json(done.text)


def test_a_deploy_and_a_rollback_are_told_elsewhere(
    settings_of_shop: Project, release: Callable[..., str], tmp_path: Path
) -> None:
    shop = settings_of_shop
    old, new = release("v1"), release("v2")
    shop.on(old)
    text = shop.compose_text()
    (tmp_path / "compose.yaml").write_text(f"{text}\n# Another line.\n")
    (tmp_path / "Caddyfile").write_text(shop.beside("Caddyfile"))
    shop.change(
        compose=str(tmp_path / "compose.yaml"),
        env={"REPORT_COLOUR": "green-4711"},
        smoke={"probes": {"home": {"kind": "home"}}},
    )
    deployed = shop.deploy(new)
    assert deployed.exit_code == 0, deployed.text
    assert "story of this run was not kept" not in deployed.text

    another = Project(tmp_path / "another", shop.name, shop.body)
    story = told(another)
    assert story.whole
    assert story.started
    assert (story.started.before, story.started.after) == (old, new)
    assert story.ended
    assert story.ended.exit_code == 0
    web = next(one for one in story.changes.images if one.service == "web")
    assert web.before
    assert web.after
    assert (web.before.tag, web.after.tag) == (old, new)
    assert web.before.digest != web.after.digest
    assert "\n+# Another line." in story.changes.compose
    assert story.changes.environment.added == ("REPORT_COLOUR",)
    assert {(one.result.name, one.result.outcome) for one in story.smoke} == {
        ("home", Smoke.PASSED)
    }
    assert {one.result.host for one in story.smoke} == {"web-1", ""}
    keeper = next(iter(yaml.safe_load(Path(shop.body["hosts"]).read_text())))
    file = f"{STORIES}/{story.id}.json.gz"
    assert on_host(keeper, f"stat -c %a {file}") == "600"
    assert "green-4711" not in on_host(keeper, f"gunzip -c {file}")
    past = json.loads(another.inv("history", "--json").text)["runs"]
    assert past[-1]["deploy"] == story.id
    assert told(another, story.id) == story

    back = shop.inv("rollback")
    assert back.exit_code == 0, back.text
    newest = told(another)
    assert newest.started
    assert (newest.started.verb, newest.started.after) == ("rollback", old)
    assert newest.changes.environment.removed == ("REPORT_COLOUR",)
    again = another.inv("report", story.id)
    assert again.exit_code == 0, again.text
    page = (another.folder / f"report-{shop.name}-{story.id}.html").read_text()
    assert old in page
    assert new in page
    assert "# Another line." in page
    assert "REPORT_COLOUR" in page
    assert "green-4711" not in page

    listed = another.inv("history", "--html")
    assert listed.exit_code == 0, listed.text
    index = (another.folder / f"history-{shop.name}.html").read_text()
    assert f'<a href="report-{shop.name}-{story.id}.html">{story.id}</a>' in index
    assert f"rollback <strong>{old}</strong>" in index
    (month, _) = json.loads(another.inv("history", "--json").text)["figures"]
    assert month["failed"] >= 1, "what was rolled back has failed"
    assert 0 < month["recovery"] < 3600

"""What comes with a release, in the summary of a job: as it is, and with nothing that acts."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from deploy.changelog import Changelog
from deploy.events import RunStarted
from deploy.notify.choose import Told
from deploy.notify.links import Links
from deploy.notify.markdown import markdown
from deploy.redaction.redactor import Redactor
from deploy.views.choose import choose

from ..test_changelog import Checkout
from ..views.sequences import CASES
from .render import BACK, LACKING, LINKS, MANY, SOME, A, B, change
from .test_message import changelogs
from .told import SECRETS, environment

FORTH = f"https://github.com/acme/shop/compare/{A}...{B}"


def test_subjects_with_their_pull_requests_and_a_comparison() -> None:
    assert markdown(SOME, LINKS) == (
        f"**What comes**   [compare]({FORTH})\n\n"
        r"- Coupons can be combined ([\#212](https://github.com/acme/shop/pull/212)), Bo"
        "\n- Fix a typo, Ana"
    )
    assert markdown(SOME, Links()) == (
        "**What comes**\n\n" r"- Coupons can be combined (\#212), Bo" "\n- Fix a typo, Ana"
    )


def test_ten_of_them_and_how_many_more() -> None:
    lines = markdown(MANY, LINKS).splitlines()
    assert len(lines) == 2 + 10 + 1
    assert lines[-1] == f"- … and [3 more]({FORTH})"


def test_what_goes_and_what_is_not_known() -> None:
    assert markdown(BACK, LINKS).startswith(f"**What goes**   [compare]({FORTH})")
    assert markdown(LACKING, LINKS).endswith(
        "The changelog is not whole: the release before does not say its commit"
    )
    assert markdown(Changelog("", ""), LINKS) == ""


LINE = re.compile(r"\*\*What (?:comes|goes)\*\*.*|- .*|The changelog is not whole: .*|")
OWN = re.compile(r"\[(?:compare|\d+ more|\\#\d+)\]\(https://github\.com/acme/shop/[\w./-]*\)")


@settings(deadline=None, max_examples=60)
@given(changelog=changelogs)
def test_nothing_leaves_its_line(changelog: Changelog) -> None:
    found = markdown(changelog, LINKS)
    for line in found.split("\n"):
        assert LINE.fullmatch(line), line
        left = OWN.sub("", line.removeprefix("**What comes**").removeprefix("**What goes**"))
        assert not re.search(r"[`\[\]*_<>|$@#~]", re.sub(r"\\(?:[^\w\s]|_)", "", left)), line


@pytest.mark.parametrize("subject", ["1. one", "12) x", "- x", "+ y", "# z", "=== ", "> q"])
def test_no_subject_begins_something(subject: str) -> None:
    (line,) = markdown(Changelog("", "", (change(1, subject),)), Links()).splitlines()[2:]
    assert re.match(r"- (?:\\|&gt;|\d+\\)", line), line


def test_the_summary_of_a_job_has_it(tmp_path: Path) -> None:
    """From a real checkout, with the secrets masked that somebody has committed in a subject."""
    summary = tmp_path / "summary"
    one = environment(tmp_path, "hooks: {after_deploy: 'true'}")
    checkout = Checkout(tmp_path)
    checkout.git("init", "-q", "-b", "main")
    before = checkout.commit("First")
    checkout.commit("Coupons <b> @everyone (#12)", "Bo")
    after = checkout.commit(f"Take {SECRETS['TOKEN']} out")
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/shop",
    }
    known = Told(one, environ, Redactor(SECRETS.values()))
    view = choose(environ, io.StringIO(), known.changes)
    for event in CASES["reverted"]():
        if isinstance(event, RunStarted):
            whose = {"by": "ana", "approved_by": "bo"}
            view(replace(event, commit=after.sha, commit_before=before.sha, **whose))
        else:
            view(event)
    page = summary.read_text("utf-8")
    assert "ordered by ana · approved by bo\n" in page
    assert (
        r"- Coupons &lt;b&gt; \@everyone ([\#12](https://github.com/acme/shop/pull/12)), Bo" in page
    )
    assert SECRETS["TOKEN"] not in page
    assert f"/compare/{before.sha}...{after.sha})" in page
    # What failed comes first.
    assert page.index("**web-2 switch**") < page.index("**What comes**") < page.index("```mermaid")


def test_a_run_with_nothing_to_do_asks_nobody(tmp_path: Path) -> None:
    summary = tmp_path / "summary"

    def never(_run: RunStarted) -> str:
        raise AssertionError

    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    view = choose(environ, io.StringIO(), never)
    for event in CASES["nothing"]():
        view(event)
    assert summary.read_text("utf-8").startswith("### ✓")

"""The page of a run: what is in it, and that nothing in it is taken for markup."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.changelog import Change, Changelog
from deploy.page import report
from deploy.story.story import Changes, EnvironmentChange, Image, ImageChange, Picture, SmokeTest
from tests.story import made
from tests.views import hostile

from .stories import endings, many, migrated, story_of

ROOT = Path(__file__).resolve().parents[2]


class Read(HTMLParser):
    """The text of a page, its elements, and where its attributes lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.leads: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.leads += [value or "" for name, value in attrs if name in {"src", "href"}]
        assert not any(name.startswith("on") for name, _ in attrs), attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_run_that_was_reverted() -> None:
    page = Read(report(endings()["reverted"]))
    for words in (
        "↩ failed, and put back",
        "shop · production",
        "deploy v1.4.2 → v1.5.0",
        "Began 2026-09-21 14:13:20 UTC",
        "Exit code 4",
        "switch on web-2 : /healthz through the proxy answered 500 (3 times in 5 s)",
        'Users saw: 500 {"status":"error"',
        "at /app/dist/coupons.js:14:11",
        "47,997 answered, 3 failed",
        "A table (#7) Ana, bbbbbbb",
        "r/shop:v1 sha256:1",
        "Another value: KEY",
        "+x: 2",
        "↩ migrate",
        "database left as it is: v1.4.2 works on it (rehearsed)",
        "buy the site 1.5 s ✗ no button",
        "✗ web-2 switch",
        "Run d-20260101-000000-aaaa, told by Headway",
    ):
        assert words in page.text, words


def test_what_the_run_said_is_there_and_folded() -> None:
    page = report(endings()["reverted"])
    folded = page[page.index("<h2>Output</h2>") :]
    assert re.match(r"<h2>Output</h2>\s*<details><summary>[^<]+</summary><pre[^>]*>", folded)
    assert "✗ web-2     switch" in folded
    assert "<details open" not in page


def test_the_chart_has_every_step_and_a_table_says_the_same() -> None:
    page = report(endings()["reverted"])
    boxes = re.findall(r'<svg x="[\d.]+%"[^>]* class="(done|failed|undone)"', page)
    rows = re.findall(r"<td>(✓ well|✗ failed|↩ put back)</td>", page)
    assert len(boxes) == len(rows) > 8
    assert boxes.count("failed") == rows.count("✗ failed") == 1
    assert boxes.count("undone") == rows.count("↩ put back") >= 1


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("success", "✓ done"),
        ("nothing", "✓ nothing to do"),
        ("refused", "✗ refused"),
        ("cancelled", "· stopped"),
        ("needs-person", "✗ failed; a person must look"),
        ("died", "Whoever ran it died before it could tell"),
    ],
)
def test_how_it_ended(case: str, says: str) -> None:
    assert says in Read(report(endings()[case])).text


def test_what_was_done_to_the_database_with_the_rehearsals_figures() -> None:
    text = Read(report(migrated())).text
    section = text[text.index("Database ✓") : text.index("Smoke tests")]
    assert section.split(" ✓ ") == [
        "Database",
        "backup 1 m 1 s db-1, 2.1 GB → 310 MB, decoded",
        "rehearse 1 m 32 s db-1, 1 migration in 1.5 s; AccessExclusiveLock on users for 1.20 s; "
        "1 of 1 ways back proven; the running version can live with it "
        "0007_loyalty.sql: 1.50 s, about 15.0 s on the real tables, AccessExclusiveLock on users "
        "for 1.20 s "
        "users: rewritten, 300 rows updated "
        "the way back leads back (0.20 s), and the file runs again "
        "the running version's queries all work on the migrated schema",
        "migrate 14.2 s 1 applied ",
    ]


def test_what_a_story_does_not_have_is_not_there() -> None:
    bare = replace(made.story(), changelog=None, changes=Changes(), smoke=(), traffic=None)
    page = Read(report(bare)).text
    for heading in ("What changed", "Smoke tests", "Requests meanwhile", "What failed", "Database"):
        assert heading not in page


def test_nothing_is_fetched_and_nothing_runs() -> None:
    page = Read(report(endings()["reverted"]))
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert {one.partition(":")[0] for one in page.leads} == {"data"}
    site = story_of(list(endings()["success"].events))
    site = replace(site, events=(replace(site.events[0], url="javascript:alert(1)"),))  # type: ignore[arg-type]
    assert "javascript" not in "".join(Read(report(site)).leads)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_foreign_text_stays_text(data: st.DataObject) -> None:
    """Whatever a story's words are, the page has the elements of its template and no others."""

    def word() -> str:
        return data.draw(st.one_of(hostile.text, st.sampled_from(MARKUP))) + "x"

    def made_of(word) -> str:  # type: ignore[no-untyped-def]
        base = made.story()
        started, step, done, ended = base.events
        return report(
            replace(
                base,
                run=word(),
                version=word(),
                events=(
                    replace(started, app=word(), before=word(), subject=word(), author=word()),
                    replace(step, host=word(), step=word()),
                    replace(done, detail=word()),
                    replace(ended, message=word(), next=word()),
                ),
                changelog=Changelog("a", "b", (Change("b", word(), word(), "7"),), lacking=word()),
                changes=Changes(
                    (ImageChange(word(), Image(word(), "a", "b"), None),),
                    word(),
                    EnvironmentChange((word(),), (), ()),
                ),
                smoke=(
                    SmokeTest(
                        replace(base.smoke[0].result, name=word(), reason=word(), seen=word()),
                        (Picture(word(), b"png"),),
                    ),
                ),
            )
        )

    page = Read(made_of(word))
    plain = Read(made_of(lambda: "x"))
    # A message of many lines is as many paragraphs.
    assert [one for one in page.tags if one != "p"] == [one for one in plain.tags if one != "p"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.text)


MARKUP = (
    "<script>alert(1)</script>",
    "</pre></details><img src=http://example.org/x>",
    '" onload="alert(1)',
    "&lt;b&gt;",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "</title>",
    "]]>",
)


def test_very_much_is_less_than_a_megabyte() -> None:
    assert len(report(many())) < 1_000_000


def test_a_wheel_has_the_templates(tmp_path: Path) -> None:
    """Whoever installs Headway has no checkout beside it."""
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    # Byte code comes and goes while other tests run.
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=without)
    build = [sys.executable, "-m", "uv", "build", "--wheel", "--quiet", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    folder = ROOT / "deploy" / "page" / "templates"
    assert {f"deploy/page/templates/{one.name}" for one in folder.iterdir()} <= names

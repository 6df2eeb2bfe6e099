"""Whatever a tag, a name, a commit or a host says: it comes out as the one value that it was.

`BUILDERS` names every place that puts text into a shell, into SQL, into a file that another program
reads, or before people, and the test that holds it. One that is not in it fails the last test here.
"""

from __future__ import annotations

import ast
import importlib
import io
import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from deploy.compose import document
from deploy.compose.placement import Rolled, place
from deploy.database.contract import contract
from deploy.database.measure.watch import begin_sql
from deploy.database.migrations.recorded import identifier, literal
from deploy.errors import HeadwayError, SettingsError
from deploy.history import Entry
from deploy.proxy import caddy, haproxy
from deploy.release import roll
from deploy.remote.script import script
from deploy.remote.ssh import _command
from deploy.settings import valid_tag
from deploy.settings.kinds import _host_path
from deploy.tasks import restore
from deploy.tasks.edge import guarded, show
from deploy.tasks.history import _rendered
from deploy.views.github import command
from deploy.views.page import page

from ..compose.project import compose_of, environment_of
from ..remote.test_script import SETTINGS
from ..views import hostile
from ..views.runner import commands
from ..views.test_text import FORBIDDEN

ROOT = Path(__file__).resolve().parents[2]

SHELL = (
    "'", '"', "\\", "$", "$(id)", "${HOME}", "`id`", ";", "&&", "|", ">", "<", "#", "!", "*", "?",
    "~", "-", "--", "-n", "=", "{", "}", "(", ")", "%s", "%", "\\n", "\\0", "\n", "\r", "\t", " ",
    "\x1b[31m", "\x1b]0;", "::error::", "##[error]", "<!channel>", "```mermaid", "|", "[a](b)",
    "--> ", "; drop table x; --", "$$", "é", "漢", "\u2028", "\u202e", "🙂", "a", "A0",
)  # fmt: skip
TEXT = st.one_of(
    st.lists(st.sampled_from(SHELL), max_size=8).map("".join),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
)
quickly = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

BUILDERS = {
    # Into a shell.
    "deploy/remote/script.py:assemble": "remote.test_script:"
    "test_values_come_through_a_shell_as_they_are",
    "deploy/remote/script.py:call_of": "remote.test_script:"
    "test_arguments_come_through_a_shell_as_they_are",
    "deploy/remote/ssh.py:_command": "faults.test_hostile_text:test_a_command_is_its_words",
    "deploy/database/access.py:calling": "faults.test_hostile_text:"
    "test_what_runs_inside_is_one_word",
    "deploy/database/backup/copies.py:_to_host": "faults.test_hostile_text:"
    "test_a_folder_on_a_host_is_plain_or_refused",
    "deploy/tasks/exec.py:exec": "faults.test_hostile_text:test_what_exec_runs_is_its_words",
    "deploy/tasks/logs.py:logs": "faults.test_hostile_text:test_what_exec_runs_is_its_words",
    "deploy/tasks/plan.py:rendered": "tasks.test_plan_file:"
    "test_the_file_is_one_word_of_what_to_type_next",
    "deploy/tasks/restore.py:_write": "tasks.test_restore_order:"
    "test_the_file_is_one_word_of_what_to_type_next",
    "deploy/tasks/restore.py:restore": "tasks.test_restore_order:"
    "test_a_name_is_one_word_of_what_to_type_first",
    "deploy/remote/fake.py:line": "faults.test_hostile_text:test_what_exec_runs_is_its_words",
    # Into SQL.
    "deploy/database/migrations/recorded.py:identifier": "faults.test_hostile_text:"
    "test_sql_reads_a_name_and_a_text_as_they_are",
    "deploy/database/migrations/recorded.py:literal": "faults.test_hostile_text:"
    "test_sql_reads_a_name_and_a_text_as_they_are",
    "deploy/database/contract/contract.py:_literal": "faults.test_hostile_text:"
    "test_sql_reads_a_name_and_a_text_as_they_are",
    "deploy/database/contract/contract.py:_name": "faults.test_hostile_text:"
    "test_sql_reads_a_name_and_a_text_as_they_are",
    "deploy/tasks/restore.py:quoted": "faults.test_hostile_text:"
    "test_sql_reads_a_name_and_a_text_as_they_are",
    # Into a file or a line that a program reads.
    "deploy/remote/lib.sh:say": "faults.test_hostile_text:test_what_a_script_says_is_one_event",
    "deploy/remote/lib.sh:journal_of": "faults.test_hostile_text:"
    "test_what_is_written_down_is_one_line",
    "deploy/release.py:quoted": "test_release:test_compose_reads_a_value_as_it_is",
    "deploy/release.py:dotenv": "test_release:test_compose_reads_a_value_as_it_is",
    "deploy/release.py:roll": "faults.test_hostile_text:test_a_line_of_the_roll_has_its_fields",
    "deploy/release.py:to_json": "test_release:test_json_is_one_line_and_is_read_again",
    "deploy/compose/document.py:write": "faults.test_hostile_text:test_yaml_is_read_again",
    "deploy/proxy/caddy.py:routes": "faults.test_hostile_text:"
    "test_a_name_of_a_service_is_plain_or_refused",
    "deploy/proxy/haproxy.py:backend": "faults.test_hostile_text:"
    "test_a_name_of_a_service_is_plain_or_refused",
    "deploy/notify/links.py:page_of": "notify.test_links:test_a_page_is_an_address_or_nothing",
    "deploy/notify/hooks.py:variables": "notify.test_hooks:test_hostile_text_is_no_command",
    "deploy/git.py:between": "test_changelog:test_only_hashes_get_to_git",
    # Before people.
    "deploy/tasks/edge.py:show": "faults.test_hostile_text:test_what_a_task_prints_is_text",
    "deploy/tasks/history.py:_rendered": "faults.test_hostile_text:"
    "test_a_line_of_the_history_is_one",
    "deploy/tasks/edge.py:guarded": "faults.test_hostile_text:test_an_error_is_text",
    "deploy/views/page.py:page": "faults.test_hostile_text:test_a_page_is_text",
    "deploy/views/github.py:command": "faults.test_hostile_text:"
    "test_a_command_of_actions_has_its_values",
    "deploy/views/github.py:GitHub": "views.test_github:test_no_foreign_line_leaves_its_fence",
    "deploy/views/summary.py:escaped": "views.test_github:"
    "test_escaped_text_is_one_line_without_tags_or_cells",
    "deploy/views/summary.py:fenced": "views.test_github:test_a_fence_is_longer_than_what_it_holds",
    "deploy/notify/message.py:message": "notify.test_message:test_nothing_from_outside_is_acted_on",
    "deploy/notify/markdown.py:markdown": "notify.test_markdown:test_nothing_leaves_its_line",
    "deploy/notify/message.py:escaped": "notify.test_message:test_a_text_is_cut_between_two_signs",
    "deploy/notify/message.py:fenced": "notify.test_message:test_nothing_ends_a_block_of_code",
    "deploy/notify/message.py:waiting": "notify.test_slack:test_who_waits_for_whom",
    "deploy/github/deployment.py:_status": "github.test_deployment:"
    "test_what_github_shows_is_a_line",
    "deploy/views/gantt.py:_plain": "views.test_gantt:test_whatever_a_step_is_called",
    "deploy/smoke/report.py:as_junit": "smoke.test_report:test_xml_takes_whatever_a_site_says",
    "deploy/page/render.py:render": "page.test_report:test_foreign_text_stays_text",
    "deploy/page/history.py:history": "page.test_history:test_foreign_text_stays_text",
    "deploy/page/svg.py:timeline": "page.test_report:test_foreign_text_stays_text",
    "deploy/views/text.py:clean": "views.test_text:test_clean_text_moves_nothing",
    "deploy/views/text.py:one_line": "views.test_text:test_one_line_is_one",
}
"""Where (file:function) → the test (module:name)."""
OWN = {"deploy/database/migrations/blockers.py:_slashed"}
"""What quotes Headway's own text alone."""


def sh(text: str | bytes) -> bytes:
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, timeout=20, check=True)
    return done.stdout


@quickly
@given(words=st.lists(TEXT, min_size=1, max_size=5))
def test_a_command_is_its_words(words: list[str]) -> None:
    said = sh(_command(["printf", "%s\\0", *words], 10))
    assert said.decode().split("\0")[:-1] == words


@quickly
@given(inside=TEXT)
def test_what_runs_inside_is_one_word(inside: str) -> None:
    from deploy.database.access import in_service
    from deploy.remote.fake import FakeHost, says

    host = FakeHost("db-1", lambda _: says("17"))
    in_service(host, "shop", "database")._run(inside, b"", timeout=5, doing="asked")
    call = host.calls[-1].argv[2]
    call = call[call.rindex("\nlocate || exit 1\n") :] if "\nlocate || exit 1\n" in call else call
    said = sh(f"locate() {{ :; }}\ninside() {{ printf '%s\\0' \"$@\"; }}{call}")
    assert said.decode().split("\0")[:-1] == [inside]


@quickly
@given(path=TEXT, words=st.lists(TEXT, min_size=1, max_size=3))
def test_what_exec_runs_is_its_words(path: str, words: list[str]) -> None:
    from deploy.remote.fake import Call

    line = Call("web-1", ("printf", "%s\\0", path, *words), b"", 1).line
    assert sh(line).decode().split("\0")[:-1] == [path, *words]


@quickly
@given(text=TEXT)
@example("srv/shop")
def test_a_folder_on_a_host_is_plain_or_refused(text: str) -> None:
    asked: Any = SimpleNamespace(data={})
    try:
        path = _host_path(f"/{text}", asked)
    except PydanticCustomError:
        return
    assert re.fullmatch(r"[/\w.-]+", path, re.ASCII)


@quickly
@given(text=TEXT)
@example("v1.2.3_4-rc")
def test_a_tag_is_plain_or_refused(text: str) -> None:
    assert not valid_tag(text) or re.fullmatch(r"\w[\w.-]*", text, re.ASCII)


@quickly
@given(text=TEXT.filter(bool), image=TEXT)
@example("-x", "busybox")
@example("a b", "busybox")
@example("db", "a\nservice web start-first - 0 1 -")
def test_a_name_in_the_compose_file_is_a_word_or_refused(
    tmp_path: Path, text: str, image: str
) -> None:
    """What the hosts file does not name comes from the compose file alone."""
    services = {"web": {"image": "acme/shop"}, text: {"image": image.replace("$", "$$")}}
    try:
        found = place(
            environment_of(tmp_path, HOSTS),
            compose_of(tmp_path, json.dumps({"services": services})),
            {},
        )
    except SettingsError:
        return
    lines = roll([image], found["one"].others, [], "v1").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["image", *["other"] * (len(lines) - 1)]
    assert all(len(line.split(" ")) == 2 for line in lines)
    assert not any(line.split(" ")[1].startswith("-") for line in lines)


HOSTS = """\
app: shop
image: acme/shop
hosts: {one: {address: 203.0.113.1, roles: [web]}}
services: {web: {role: web, rolled: false}}
"""


@quickly
@given(name=TEXT)
@example("web.v2_x-y")
def test_a_name_of_a_service_is_plain_or_refused(name: str) -> None:
    """So a snippet for a proxy holds the names of services as they are."""
    from pydantic import TypeAdapter, ValidationError

    from deploy.settings.kinds import ServiceName

    try:
        TypeAdapter(ServiceName).validate_python(name)
    except ValidationError:
        return
    one = Rolled(name, "start-first", 3000, 1, 1)
    for text in (caddy.routes(one), haproxy.backend(one)):
        assert text.replace(name, "").count("\n") == text.count("\n")
        assert not set(name) & set(" \t\n{}\"'`#\\$;,%()")


@quickly
@given(probes=st.lists(TEXT.map(lambda text: "/" + re.sub(r"\s|[\x00-\x1f\x7f]", "", text))))
def test_a_line_of_the_roll_has_its_fields(probes: list[str]) -> None:
    one = Rolled("web", "start-first", 3000, 1, 2, tuple(probes), ("/v", "version"))
    (line,) = roll([], [], [one], "v1").split("\n")[:-1]
    word, *fields = line.split(" ")
    assert (word, len(fields)) == ("service", 6)
    *found, version = fields[-1].split(",")
    assert [probe.replace("%2C", ",").replace("%7C", "|") for probe in found] == [
        probe.replace("%2C", ",").replace("%7C", "|") for probe in probes
    ]
    assert version == "/v|version|v1"


@quickly
@given(value=st.dictionaries(TEXT, st.one_of(TEXT, st.lists(TEXT, max_size=3)), max_size=4))
@example({"\x85": "a\u2028", "b": "\u2029 "})
def test_yaml_is_read_again(value: dict[str, object]) -> None:
    assert yaml.safe_load(document.write(value)) == value


def spoken(text: str) -> str:
    """What a script's `quote` keeps: not control characters, nor the end of a last line."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text).removesuffix("\n")


@quickly
@given(text=TEXT)
@example('"}\n{"event":"failed"}')
@example("\\")
@example("a\n\n")
def test_what_a_script_says_is_one_event(text: str) -> None:
    said = sh(script(SETTINGS, "caddy", "say", ["said", "text", text], locked=False))
    (line,) = said.decode().split("\n")[:-1]
    assert json.loads(line) == {"event": "said", "text": spoken(text)}


@quickly
@given(by=TEXT, reason=TEXT)
def test_what_is_written_down_is_one_line(tmp_path: Path, by: str, reason: str) -> None:
    journal = tmp_path / ".headway" / "journal.jsonl"
    journal.parent.mkdir(exist_ok=True)
    journal.write_text("")
    given_ = SETTINGS | {"dir": str(tmp_path), "by": by}
    sh(script(given_, "caddy", "journal", ["failed", reason], locked=False))
    (line,) = journal.read_text("utf-8").split("\n")[:-1]
    found = json.loads(line)
    assert (found["by"], found["reason"]) == (spoken(by), spoken(reason))


def sql_read(text: str) -> str:
    """What PostgreSQL reads in a quoted name or a quoted text, by the rules of its manual (4.1)."""
    escapes, text = text.startswith("E"), text.removeprefix("E")
    mark, body, end = text[0], text[1:-1], text[-1]
    assert mark == end
    assert mark in "'\""
    pattern = rf"{mark}{mark}" + (r"|\\." if escapes else "")
    rest = re.sub(pattern, "", body, flags=re.DOTALL)
    assert mark not in rest
    if mark == "'":
        assert "\\" not in rest, "it depends on standard_conforming_strings"
    return re.sub(pattern, lambda found: found[0][1], body, flags=re.DOTALL)


@quickly
@given(text=TEXT)
@example("\\'; drop table x; --")
def test_sql_reads_a_name_and_a_text_as_they_are(text: str) -> None:
    assert sql_read(literal(text)) == text
    assert sql_read(contract._literal(text)) == text
    assert f"'file', {literal(text)}::text" in begin_sql(text, transaction=True)
    for quoted in (identifier(text), restore.quoted(text), contract._name(text)):
        assert sql_read(quoted) == text


@settings(deadline=None)
@given(text=hostile.text)
def test_a_page_is_text(text: str) -> None:
    for environ in ({}, {"GITHUB_ACTIONS": "true"}):
        found = page(f"head\n{text}", environ)
        assert not FORBIDDEN.search(found)
        found.encode()
    assert commands(found) == []


@settings(deadline=None)
@given(text=hostile.text)
def test_what_a_task_prints_is_text(text: str) -> None:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_ACTIONS", "true")
        show(text, to=out)
    assert not FORBIDDEN.search(out.getvalue())
    assert commands(out.getvalue()) == []


@settings(deadline=None)
@given(text=hostile.text)
def test_a_line_of_the_history_is_one(text: str) -> None:
    def lines(word: str) -> int:
        one = Entry(word, word, "v1-1", word, word, "", word, "failed", ("web-1",), word)
        return len(page("\n".join(_rendered([one], [], [])), {}).splitlines())

    assert lines(text) == lines("x")


@settings(deadline=None)
@given(text=hostile.text)
def test_an_error_is_text(text: str) -> None:
    from invoke.exceptions import Exit

    def fails() -> None:
        raise HeadwayError(text, state=text, mend=text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_ACTIONS", "true")
        with pytest.raises(Exit) as caught:
            guarded(fails)()
    assert not FORBIDDEN.search(str(caught.value.message))
    assert commands(str(caught.value.message)) == []


@settings(deadline=None)
@given(data=hostile.text, title=hostile.text)
def test_a_command_of_actions_has_its_values(data: str, title: str) -> None:
    (found,) = commands(command("error", data, title=f"<{title}>"))
    assert found.name == "error"
    assert found.data == data.replace("##[", "## [")
    assert dict(found.properties) == {"title": f"<{title}>".replace("##[", "## [")}


QUOTES = re.compile(r"shlex\.|\.replace\(\"'\", \"''\"\)|\.replace\('\"', '\"\"'\)")


def builders() -> set[str]:
    """The functions of `deploy/` that quote for a shell or for SQL."""
    found = set()
    for file in (ROOT / "deploy").rglob("*.py"):
        text = file.read_text("utf-8")
        if "sandbox" in file.parts or not QUOTES.search(text):
            continue
        inner = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        for node in inner:
            nested = any(
                child is not node and isinstance(child, ast.FunctionDef) for child in ast.walk(node)
            )
            if not nested and QUOTES.search(ast.get_source_segment(text, node) or ""):
                found.add(f"{file.relative_to(ROOT)}:{node.name}")
    return found


def test_every_builder_is_in_the_table_and_has_its_test() -> None:
    assert builders() - BUILDERS.keys() - OWN == set()
    for where, test in BUILDERS.items():
        file, name = where.split(":")
        assert re.search(rf"^\s*(def |class )?{name}\b", (ROOT / file).read_text(), re.M), where
        module, name = test.split(":")
        assert hasattr(importlib.import_module(f"tests.{module}"), name), test


def test_what_a_task_prints_by_itself_is_for_programs_or_its_own() -> None:
    """All that is for people goes through `show`."""
    own = re.compile(
        r"print\((command\(|_?as_json\(|json\.dumps\(|manifest\.to_json\(|page\("
        r"|f\"\{where\}  ! exit|f\"# ---)"
    )
    others = {
        f"{file.name}: {line.strip()}"
        for file in (ROOT / "deploy" / "tasks").glob("*.py")
        for line in file.read_text("utf-8").splitlines()
        if "print(" in line and "sandbox" not in file.name and not own.search(line)
    }
    assert others == {
        'backup.py: print(f"Back to it: inv restore.{one.environment.name} {manifest.name}")',
        "backup.py: print(",
        "restore.py: print(",
    }

"""YAML with its lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.errors import SettingsError
from deploy.settings.document import dotted, parse, read

from .repository import GOOD, refused, write

ANCHORS = """\
base: &base
  a: 1
  b: 2
one:
  <<: *base
  b: 3
two: *base
list:
  - x
  -
    - {deep: 4}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("one",), 4),
        (("one", "a"), 2),
        (("one", "b"), 6),
        (("two",), 7),
        (("two", "b"), 3),
        (("list", 0), 9),
        (("list", 1, 0, "deep"), 11),
        (("two", "not there", "nor this"), 7),
        (("nowhere",), 1),
    ],
)
def test_every_path_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    document = parse(ANCHORS, "x.yaml")
    assert document.faults == ()
    assert document.where(path) == f"x.yaml:{line}"


def test_merged_keys_are_the_mappings_own_first() -> None:
    data = parse(ANCHORS, "x.yaml").data
    assert data["one"] == {"a": 1, "b": 3}
    assert data["two"] == {"a": 1, "b": 2}
    twice = "a: &a {k: 1}\nb: &b {k: 2, l: 2}\nc: {<<: [*a, *b]}\n"
    assert parse(twice, "x").data["c"] == {"k": 1, "l": 2}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("0755", 755),
        ("22:30", "22:30"),
        ("2026-11-22", "2026-11-22"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_scalars_are_read_as_compose_reads_them(written: str, value: Any) -> None:
    found = parse(f"k: {written}\n", "x").data["k"]
    assert found == value
    assert type(found) is type(value)


def test_a_key_is_text_whatever_it_looks_like() -> None:
    assert parse("1: a\ntrue: b\n", "x").data == {"1": "a", "true": "b"}


BROKEN = {
    "tabs": (
        "a:\n\tb: 1\n",
        "x:2  is not YAML: while scanning for the next token found character "
        "'\\t' that cannot start any token; YAML is indented with spaces",
    ),
    "two documents": (
        "a: 1\n---\nb: 1\n",
        "x:2  is not YAML: expected a single document in the stream but found another document",
    ),
    "no such anchor": ("a: *b\n", "x:1  is not YAML: found undefined alias 'b'"),
    "in itself": ("a: &a\n  b: *a\n", "x:1  is not YAML: it contains itself"),
    "merged in itself": (
        "a: &a\n  <<: *a\n",
        "x:2  is not YAML: only another mapping can be merged with <<",
    ),
    "merged text": (
        "a:\n  <<: b\n",
        "x:2  is not YAML: only another mapping can be merged with <<",
    ),
    "a key that is a list": ("? [a]\n: 1\n", "x:1  is not YAML: a key has to be text"),
    "bytes": (
        "a:\n  b: !!binary aGk=\n",
        "x:2  is not YAML: the tag tag:yaml.org,2002:binary is not allowed here",
    ),
    "a number that is none": (
        "a: !!int b\n",
        "x:1  is not YAML: the tag tag:yaml.org,2002:int is not allowed here",
    ),
    "a bell": ("a: 1\nb: \a\n", "x:2  holds a control character, which YAML does not allow"),
    "too deep": ("[" * 5000, "x  is nested too deeply"),
}


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(("text", "line"), BROKEN.values(), ids=BROKEN)
def test_what_can_not_be_read(text: str, line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text, "x")
    assert str(caught.value).splitlines()[0] == line


def test_anchors_that_unfold_without_end_are_stopped() -> None:
    lists = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lists += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    maps = ["a0: &a0 {k: 1}"]
    maps += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    for text in ("\n".join(lists), "\n".join(maps)):
        with pytest.raises(SettingsError, match="unfold to more than 50000 values"):
            parse(text, "x")


def test_duplicates_are_told_once_and_the_rest_is_read() -> None:
    document = parse("a: &a\n  k: 1\n  k: 2\nb: *a\nc: {<<: *a}\n", "x")
    assert [str(fault) for fault in document.faults] == [
        "x:3  a.k: is written twice, first on line 2; keep one of them"
    ]
    assert document.data["c"] == {"k": 2}


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^x  can't be read: No such file or directory"):
        read(tmp_path / "absent.yaml", "x")
    with pytest.raises(SettingsError, match=r"^x  can't be read: Is a directory"):
        read(tmp_path, "x")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(SettingsError, match=r"^x  can't be read: it is not UTF-8"):
        read(tmp_path / "latin.yaml", "x")


def test_dotted() -> None:
    assert dotted(("hosts", "web-1", "roles", 0)) == "hosts.web-1.roles[0]"
    assert dotted(()) == ""


def test_lines_inside_an_anchor_of_a_hosts_file(tmp_path: Path) -> None:
    text = GOOD.replace(
        "  web: {role: web, port: 3000}",
        """\
  web: &web
    role: web
    port: 3000
    heath: /
  api:
    <<: *web
    drain: soon""",
    )
    assert refused(tmp_path, text) == [
        "hosts/production.yaml:10  services.api.heath: no such key; did you mean health?",
        "hosts/production.yaml:10  services.web.heath: no such key; did you mean health?",
        "hosts/production.yaml:13  services.api.drain: is 'soon', expected a duration such as "
        "500ms, 30s, 1m30s or 2h",
    ]


INCLUDED = GOOD[: GOOD.index("hosts:")] + "hosts: ../fleet.yaml\n" + GOOD[GOOD.index("services:") :]


def test_lines_of_the_included_hosts(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("""\
# the fleet
web-1: {address: 203.0.113.11, roles: [web]}
web-2:
  address: 203.0.113.11
  roles:
    - web
    - -v
  roles: [web]
""")
    assert refused(tmp_path, INCLUDED.replace("role: web", "role: wbe")) == [
        "hosts/production.yaml:5  services.web.role: no host has the role 'wbe'; the hosts' roles "
        "are web",
        "fleet.yaml:4  hosts.web-2.address: the same as web-1's, 203.0.113.11; each host stands "
        "here once",
        "fleet.yaml:8  web-2.roles: is written twice, first on line 5; keep one of them",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "fleet.yaml:1  is not YAML: "),
        ("- web-1\n", "fleet.yaml:1  hosts: is a list, expected a mapping of hosts"),
        (
            "elsewhere.yaml\n",
            "fleet.yaml:1  hosts: is 'elsewhere.yaml', expected a mapping of hosts",
        ),
        (
            "web-1: {address: a.example}\n",
            "fleet.yaml:1  hosts.web-1.roles: is missing; write roles: [web]",
        ),
    ],
)
def test_faults_of_the_included_file(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "fleet.yaml").write_text(text)
    lines = refused(tmp_path, INCLUDED)
    assert len(lines) == 1
    assert lines[0].startswith(line)


def test_a_file_outside_the_repository_has_its_whole_name(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    write(root, "")
    (tmp_path / "fleet.yaml").write_text("web-1: 5\n")
    text = INCLUDED.replace("../fleet.yaml", "../../fleet.yaml")
    assert refused(root, text) == [
        f"{tmp_path}/fleet.yaml:1  hosts.web-1: is 5, expected a mapping"
    ]

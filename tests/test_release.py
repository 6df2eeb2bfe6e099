"""What is deployed, and the files that say so on a host."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy.compose.placement import Rolled
from deploy.release import Bundle, Release, dotenv, quoted, release_id, roll

from .compose.real import config, plain

RELEASE = Release("v2-0a1b2c3d", "v2", {"web": "acme/shop@sha256:1"}, "2026-01-01T00:00:00Z")
IMAGES = {"web": "acme/shop@sha256:1", "api": "acme/api@sha256:2"}
CONTENT: dict[str, Any] = {
    "tag": "v2",
    "images": IMAGES,
    "compose": "services: {}",
    "values": {"A": "1", "B": "2"},
    "beside": {"a": (b"1", 0o644), "b": (b"2", 0o644)},
}


def test_an_id_is_the_tag_and_eight_digits() -> None:
    assert release_id(**CONTENT) == "v2-b1678ec2"


def test_an_id_does_not_depend_on_any_order() -> None:
    turned = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value
        for key, value in CONTENT.items()
    }
    assert list(turned["images"]) != list(IMAGES)
    assert release_id(**turned) == release_id(**CONTENT)


@pytest.mark.parametrize(
    "change",
    [
        {"tag": "v3"},
        {"images": IMAGES | {"web": "acme/shop@sha256:3"}},
        {"images": {"web": IMAGES["api"], "api": IMAGES["web"]}},
        {"compose": "services: {} "},
        {"values": {"A": "1", "B": "3"}},
        {"values": {"A": "1"}},
        {"values": {"A": "2", "B": "1"}},
        {"beside": {"a": (b"1", 0o644), "b": (b"3", 0o644)}},
        {"beside": {"a": (b"1", 0o755), "b": (b"2", 0o644)}},
        {"beside": {"a": (b"1", 0o644), "c": (b"2", 0o644)}},
        {"beside": {"a": (b"1", 0o644)}},
    ],
)
def test_an_id_is_another_for_another_content(change: dict[str, Any]) -> None:
    assert release_id(**{**CONTENT, **change}) != release_id(**CONTENT)


def test_json_is_one_line_and_is_read_again() -> None:
    release = replace(RELEASE, commit="1f2e", author="Zoë\n", subject='say "hi"')
    text = release.to_json()
    assert "\n" not in text
    assert Release.from_dict(json.loads(text)) == release
    assert json.loads(text)["v"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"v": 2}, "a release of schema 2; this Headway reads 1"),
        ({"v": None}, "a release of schema None; this Headway reads 1"),
        ({"more": 1}, "no release: .* unexpected keyword argument 'more'"),
        ({"tag": ...}, "no release: .* missing 1 required positional argument: 'tag'"),
    ],
)
def test_what_is_no_release(change: dict[str, Any], message: str) -> None:
    body = {**json.loads(RELEASE.to_json()), **change}
    with pytest.raises(ValueError, match=message):
        Release.from_dict({key: value for key, value in body.items() if value is not ...})


@pytest.mark.parametrize("body", [None, [], "v2", 1])
def test_what_is_not_even_a_mapping(body: object) -> None:
    with pytest.raises(ValueError, match="no release: it is no mapping"):
        Release.from_dict(body)


def test_a_bundle_shows_no_value() -> None:
    shown = repr(Bundle(RELEASE, "text", {"KEY": "hidden"}, {"key.txt": (b"hidden", 0o644)}))
    assert "hidden" not in shown
    assert "v2-0a1b2c3d" in shown


def test_roll() -> None:
    services = [
        Rolled("init", "one-shot", None, 0, 1),
        Rolled("web", "start-first", 3000, 2.5, 2, ("/up", "/a,b|c"), ("/v", "build.version")),
        Rolled("worker", "stop-first", None, 30.0, 1),
    ]
    assert roll(["a@sha256:1", "b:2", "a@sha256:1"], ["db", "proxy"], services, "v2") == (
        "image a@sha256:1\n"
        "image b:2\n"
        "other db\n"
        "other proxy\n"
        "service init one-shot - 0 1 -\n"
        "service web start-first 3000 3 2 /up,/a%2Cb%7Cc,/v|version|v2\n"
        "service worker stop-first - 30 1 -\n"
    )


def test_a_short_drain_is_not_none() -> None:
    text = roll([], [], [Rolled("web", "start-first", 80, 0.2, 1)], "v2")
    assert text == "service web start-first 80 1 1 -\n"


def test_dotenv() -> None:
    release = replace(RELEASE, images={"web": "i@sha256:1", "api": "i@sha256:1"})
    assert dotenv(release, "shop", {"B": "two", "A": "it's"}) == (
        "# v2-0a1b2c3d, written by Headway; the next deploy writes it anew.\n"
        "# image i@sha256:1\n"
        "HEADWAY_RELEASE=v2-0a1b2c3d\n"
        "COMPOSE_PROJECT_NAME=shop\n"
        "COMPOSE_FILE=compose.yaml:.headway/host.yaml\n"
        'A="it\'s"\n'
        "B='two'\n"
    )


def test_a_value_that_no_dotenv_can_hold() -> None:
    with pytest.raises(ValueError, match="contains a NUL") as caught:
        quoted("hid\0den")
    assert "hid" not in str(caught.value)


@pytest.mark.fleet
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.text(
            st.sampled_from("ab '\"\\$#{}=:`\n\r\tné\u2028\u00a0🙂")
            | st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
            max_size=12,
        ),
        min_size=1,
        max_size=12,
    )
)
@example(["it's", '"', "'\"", "\\", "a\\", "'\\", "\\n", "'\\n", "\\'", "\\\\'"])
@example(["$A", "${A}", "'$A", "'${A:?}", "'\\$A", "$$", "'$$", " x ", "' x ", "#", "a #b", "' #"])
@example(["a\nb", "'a\nb", "\r\n", "'\r", "\t", "'\t", "", "''", '"a"', "a'b\"c\\d$e", "é\u2028"])
def test_compose_reads_a_value_as_it_is(tmp_path: Path, values: list[str]) -> None:
    """Both where a variable stands in the compose file, and through `env_file: .env`."""
    named = {f"V{index}": value for index, value in enumerate(values)}
    environment = {name: f"${{{name}}}" for name in named}
    services = {
        "x": {"image": "i", "environment": environment},
        "y": {"image": "i", "env_file": ".env"},
    }
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": services}))
    (tmp_path / ".headway").mkdir(exist_ok=True)
    (tmp_path / ".headway/host.yaml").write_text("services: {}\n")
    (tmp_path / ".env").write_bytes(dotenv(RELEASE, "shop", named).encode())
    answer = config(tmp_path)
    assert answer.said == ""
    for service in ("x", "y"):
        found = answer.services[service]["environment"]
        assert {name: plain(found[name]) for name in named} == named, service
    assert answer.services["y"]["environment"]["HEADWAY_RELEASE"] == RELEASE.id

"""What Headway lays over the team's file, against golden cases."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deploy.compose.document import Digits, Tagged, write
from deploy.compose.override import override, published
from deploy.compose.placement import place

from .cases import CASES, NAMES, Case
from .project import HOSTS, PUBLISHED, compose_of, environment_of


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, tmp_path: Path) -> None:
    case = Case.read(name, tmp_path)
    expected = {path.name: path.read_text("utf-8") for path in (CASES / name).glob("expected-*")}
    assert {f"expected-{host}.yaml": case.override(host) for host in case.placements} == expected


def test_the_same_content_is_the_same_text(tmp_path: Path) -> None:
    first = Case.read("carried", tmp_path / "a")
    second = Case.read("carried", tmp_path / "b")
    assert first.override("one") == second.override("one")
    assert first.override("one", "v3-00000000") != second.override("one")


def test_nothing_is_said_of_a_service_that_stays_as_it_is(tmp_path: Path) -> None:
    compose = compose_of(tmp_path, PUBLISHED.replace("}}", "}, db: {image: postgres}}"))
    environment = environment_of(tmp_path, HOSTS.replace("port: 3000", "order: stop-first"))
    (placement,) = place(environment, compose, {}).values()
    text = override(environment, compose, placement, {}, "v1-0", [])
    assert yaml.safe_load(text) == {"services": {}}


def test_a_stop_first_service_keeps_its_name_and_its_ports(tmp_path: Path) -> None:
    compose = compose_of(tmp_path, PUBLISHED.replace("ports", "container_name: shop, ports"))
    environment = environment_of(tmp_path, HOSTS.replace("3000}", "3000, order: stop-first}"))
    (placement,) = place(environment, compose, {}).values()
    text = override(environment, compose, placement, {"web": "i@sha256:0"}, "v1-0", [])
    assert yaml.safe_load(text) == {"services": {"web": {"image": "i@sha256:0"}}}


def test_published(tmp_path: Path) -> None:
    ports = '[3000, "80:3000", "127.0.0.1:${P:-81}:${T:-3000}", {target: 3000, published: 82}]'
    compose = compose_of(tmp_path, f"services: {{web: {{image: i, ports: {ports}}}}}")
    (placement,) = place(environment_of(tmp_path), compose, {}).values()
    assert published(placement.rolled[0], compose) == [
        ("80", "3000"),
        ("${P:-81}", "3000"),
        ("82", "3000"),
    ]


def test_how_yaml_is_written() -> None:
    value = {"a": Digits("0400"), "b": "0400", "c": Tagged("!reset", []), "d": "5 $$ é"}
    assert write(value) == "a: 0400\nb: '0400'\nc: !reset []\nd: 5 $$ é\n"
    shared = {"x": 1}
    assert "&" not in write([shared, shared])


CHECKS = {
    "a test alone": ("{test: [CMD, x]}", {"start_period": "60s", "start_interval": "1s"}),
    "its own start period": (
        "{test: x, interval: 30s, start_period: 5m}",
        {"start_period": "5m", "start_interval": "1s"},
    ),
    "its own start interval": ("{test: x, start_interval: 2s}", None),
    "none at all": ("{test: [NONE]}", None),
    "switched off": ("{test: x, disable: true}", None),
    "the image's": ("{interval: 10s}", None),
}


@pytest.mark.parametrize(("check", "added"), CHECKS.values(), ids=CHECKS)
def test_a_new_container_is_checked_at_once(
    tmp_path: Path, check: str, added: dict[str, str] | None
) -> None:
    compose = compose_of(tmp_path, PUBLISHED.replace("}}", f", healthcheck: {check}}}}}"))
    environment = environment_of(tmp_path, HOSTS)
    (placement,) = place(environment, compose, {}).values()

    def web(**engine: bool) -> dict[str, object]:
        text = override(environment, compose, placement, {}, "v1-0", [], **engine)
        body = text.replace("!reset", "").replace("!override", "")
        return dict(yaml.safe_load(body)["services"]["web"])

    assert web().get("healthcheck") == added
    assert "healthcheck" not in web(start_interval=False)

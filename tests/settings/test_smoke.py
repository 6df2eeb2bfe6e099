"""smoke.yaml: beside the hosts file or in it, with every fault at its line, and its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.settings import environments
from deploy.smoke.probes import probes_of

from .repository import GOOD, loaded, refused

URL = "url: https://shop.example\n"
SECRET = {"SMOKE_PASSWORD": "hunter2hunter2"}
LOGIN = "login: {kind: login, json: {email: a@b.example, password: '${SMOKE_PASSWORD}'}}"


def beside(root: Path, text: str) -> str:
    (root / "hosts").mkdir(exist_ok=True)
    (root / "hosts/smoke.yaml").write_text(text)
    return f"{GOOD}{URL}smoke: smoke.yaml\n"


def test_a_file_beside_the_hosts_file(tmp_path: Path) -> None:
    text = beside(tmp_path, f"timeout: 3s\nprobes:\n  home: {{kind: home}}\n  {LOGIN}\n")
    environment = loaded(tmp_path, text, SECRET)
    assert environments(tmp_path) == ["production"]
    assert environment.smoke
    assert (environment.smoke.timeout, environment.smoke.retries) == (3, 2)
    home, login = probes_of(environment)
    assert (home.method, home.path, home.per_host) == ("GET", "/", False)
    assert (login.method, login.path) == ("POST", "/api/login")
    assert login.json == {"email": "a@b.example", "password": "hunter2hunter2"}
    assert "hunter2" not in repr(login)


def test_a_secret_of_a_probe_is_one_of_the_environment_and_goes_to_no_host(tmp_path: Path) -> None:
    environment = loaded(tmp_path, beside(tmp_path, f"probes:\n  {LOGIN}\n"), SECRET)
    assert [one.name for one in environment.secret_values] == ["SMOKE_PASSWORD"]
    assert environment.secrets == []


def test_secrets_anywhere_in_a_probe(tmp_path: Path) -> None:
    text = (
        "probes:\n  all:\n    path: /x?key=${A}\n    headers: {X-Key: 'k ${B}'}\n"
        "    json: [{deep: '${C}'}]\n"
        "    expect: {headers: {x: '${D}'}, text: '${E}', json: {a: '${F}'}}\n"
    )
    values = {name: f"value-of-{name}" for name in "ABCDEF"}
    environment = loaded(tmp_path, beside(tmp_path, text), values)
    assert {one.name for one in environment.secret_values} == set(values)
    (probe,) = probes_of(environment)
    assert probe.path == "/x?key=value-of-A"
    assert probe.headers == {"X-Key": "k value-of-B"}
    assert probe.json == [{"deep": "value-of-C"}]
    assert probe.expect.headers == {"x": "value-of-D"}
    assert probe.expect.text == "value-of-E"
    assert probe.expect.json == {"a": "value-of-F"}


def test_kinds_know_what_the_services_say(tmp_path: Path) -> None:
    text = GOOD.replace(
        "port: 3000",
        "port: 3000, health: /up, version: {path: /about, json: build.tag}",
    )
    smoke = "smoke: {probes: {h: {kind: health}, v: {kind: version}, own: {path: /x}}}\n"
    health, version, own = probes_of(loaded(tmp_path, text + URL + smoke))
    assert (health.path, health.per_host) == ("/up", True)
    assert (version.path, version.version, version.per_host) == ("/about", "build.tag", True)
    assert version.of("v7").expect.json == {"build.tag": "v7"}
    assert (own.per_host, own.of("v7")) == (False, own)


def test_all_faults_of_both_files_at_once(tmp_path: Path) -> None:
    text = beside(
        tmp_path,
        "probes:\n"
        "  home: {kind: hom}\n"
        "  nothing: {expect: {status: 200}}\n"
        "  login: {kind: login}\n"
        "  odd: {path: x, expect: {status: '200', max_ms: 0, stat: 1}}\n"
        "  key: {path: /, headers: {X-Key: '${NOT_SET}'}}\n"
        "retrys: 3\n",
    )
    assert refused(tmp_path, text + "rollout: {canary: abc}\n") == [
        "hosts/production.yaml:10  rollout.canary: is 'abc', expected a whole number",
        "hosts/smoke.yaml:2  smoke.probes.home.kind: is 'hom', expected home, login, health or "
        "version; did you mean home?",
        "hosts/smoke.yaml:3  smoke.probes.nothing: has neither a kind nor a path; write path: /…, "
        "or kind: home",
        "hosts/smoke.yaml:4  smoke.probes.login: has no body; write json: {email: …, password: "
        "${SMOKE_PASSWORD}}",
        "hosts/smoke.yaml:5  smoke.probes.odd.expect.max_ms: is 0, expected 1 or more",
        "hosts/smoke.yaml:5  smoke.probes.odd.expect.stat: no such key; did you mean status?",
        "hosts/smoke.yaml:5  smoke.probes.odd.expect.status: is '200', expected a whole number; "
        "take the quotes away",
        "hosts/smoke.yaml:5  smoke.probes.odd.path: is 'x', expected a path that begins with /",
        "hosts/smoke.yaml:7  smoke.retrys: no such key; did you mean retries?",
    ]


@pytest.mark.parametrize(
    ("more", "fault"),
    {
        "no url": (
            "smoke: {probes: {home: {kind: home}}}\n",
            "8  smoke: there is no url to ask; write url: https://…",
        ),
        "no version": (
            f"{URL}smoke: {{probes: {{v: {{kind: version}}}}}}\n",
            "9  smoke.probes.v: no service says which version it is; write "
            "services.NAME.version: {path: …, json: …}",
        ),
        "no file": (
            f"{URL}smoke: other.yaml\n",
            "9  smoke: hosts/other.yaml does not exist; create it, or write the smoke tests here",
        ),
        "a header's value": (
            f"{URL}smoke: {{probes: {{h: {{path: /, headers: {{X-Key: 4711}}}}}}}}\n",
            "9  smoke.probes.h.headers.X-Key: is a number, expected text; put it in quotes",
        ),
    }.values(),
    ids=lambda value: value[:20],
)
def test_what_is_wrong(tmp_path: Path, more: str, fault: str) -> None:
    assert refused(tmp_path, GOOD + more) == [f"hosts/production.yaml:{fault}"]


def test_a_secret_that_is_not_set(tmp_path: Path) -> None:
    text = beside(tmp_path, f"probes:\n  {LOGIN}\n")
    assert refused(tmp_path, text) == [
        "hosts/smoke.yaml:2  smoke.probes.login.json.password: the secret SMOKE_PASSWORD is not "
        "set; set SMOKE_PASSWORD in the environment or in .env.production"
    ]

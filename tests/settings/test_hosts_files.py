"""The hosts files of this repository: they load, and the reference is the model, key by key."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deploy.settings import HostEntry, Service, load, schema
from deploy.settings.document import KeyPath, dotted, parse
from deploy.settings.faults import model_fields
from deploy.settings.loader import read

from .repository import GOOD, loaded, refused

ROOT = Path(__file__).resolve().parents[2]
SECRETS = (
    "REGISTRY_TOKEN",
    "REGISTRY_PASSWORD",
    "DATABASE_URL",
    "DATABASE_PASSWORD",
    "SESSION_KEY",
    "CLOUDFLARE_TOKEN",
    "FASTLY_TOKEN",
    "BUNNY_KEY",
    "SLACK_TOKEN",
    "SLACK_WEBHOOK_URL",
    "WEBHOOK_KEY",
    "SANDBOX_SLACK_TOKEN",
    "SANDBOX_CLOUDFLARE_TOKEN",
    "SANDBOX_WEBHOOK_KEY",
)
ENVIRON = dict.fromkeys(SECRETS, "value")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Only the hosts files, so that no `.env.production` of this machine has a say."""
    shutil.copytree(ROOT / "hosts", tmp_path / "hosts")
    return tmp_path


@pytest.mark.parametrize("name", ["staging", "production"])
def test_the_files_to_copy(repository: Path, name: str) -> None:
    environment = load(repository, name, ENVIRON)
    assert environment.image_of("web") == environment.image_of("worker") == "ghcr.io/acme/shop"
    assert environment.services["web"].effective == "start-first"
    assert environment.services["worker"].effective == "stop-first"


def test_the_sandbox(repository: Path) -> None:
    (repository / ".sandbox").mkdir(mode=0o700)
    (repository / ".sandbox/hosts.yaml").write_text(
        "web-1: {address: 127.0.0.1, port: 22001, roles: [web]}\n"
        "worker-1: {address: 127.0.0.1, port: 22101, roles: [worker]}\n"
        "db-1: {address: 127.0.0.1, port: 22201, roles: [db]}\n"
    )
    (repository / ".sandbox/url.yaml").write_text("http://127.0.0.1:9000\n")
    env = repository / ".sandbox/env"
    env.touch(mode=0o600)
    env.write_text("".join(f"{name}=random\n" for name in SECRETS if name != "REGISTRY_TOKEN"))
    environment = load(repository, "sandbox", {})
    assert environment.compose == repository / "examples/shop/compose.yaml"
    assert environment.ssh.key == repository / ".sandbox/id_ed25519"
    assert environment.ssh.known_hosts == repository / ".sandbox/known_hosts"
    assert environment.hosts["db-1"] == HostEntry(address="127.0.0.1", port=22201, roles=["db"])
    assert environment.url == "http://127.0.0.1:9000"
    assert environment.services["worker"] == Service(role="worker")
    assert environment.services["web"].drain == 5
    assert environment.secret("REGISTRY_PASSWORD").reveal() == "random"


def test_the_sandbox_before_it_is_up(repository: Path) -> None:
    with pytest.raises(Exception, match=r"\.sandbox/hosts\.yaml does not exist; inv sandbox\.up"):
        load(repository, "sandbox", {})


# --- the reference -------------------------------------------------------------------------------

REFERENCE = (ROOT / "hosts/reference.yaml").read_text()
# A key that can't stand beside the others is there as "#key:", without a blank.
WHOLE = parse(re.sub(r"^( *)#(\w+:)", r"\1\2", REFERENCE, flags=re.MULTILINE), "reference.yaml")
KEY = re.compile(r"^ *#?[\w-]+:(?= |$)")


NAMED = {("hosts",): "web-1", ("services",): "web", ("smoke", "probes"): "home"}


def keys_of_the_model(path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key of the model, with one name for each mapping of the user's own names."""
    for key in model_fields(path):
        yield (*path, key)
        named = NAMED.get((*path, key))
        yield from keys_of_the_model((*path, key, named) if named else (*path, key))


def keys_of_the_reference(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield (*path, key)
        yield from keys_of_the_reference(inner, (*path, key))


MODEL = set(keys_of_the_model())
OWN_NAMES = re.compile(
    r"(hosts|services|smoke\.probes)\.[\w-]+$|(.+\.)?(env|headers)\.[\w-]+$"
    r"|hosts\.db-1\.|services\.worker\."
)


def line_of(path: KeyPath) -> str:
    return REFERENCE.splitlines()[WHOLE.mark(path)[1] - 1]


def test_the_walk_reaches_the_leaves() -> None:
    assert {("ssh", "gateway", "port"), ("services", "web", "version", "json")} <= MODEL
    assert ("hosts", "web-1", "env") in MODEL
    assert len(MODEL) > 60


def test_the_reference_has_every_key_and_no_other() -> None:
    written = {
        path for path in keys_of_the_reference(WHOLE.data) if not OWN_NAMES.match(dotted(path))
    }
    assert {dotted(path) for path in MODEL - written} == set()
    assert {dotted(path) for path in written - MODEL} == set()


def test_the_reference_loads(repository: Path) -> None:
    file = repository / "hosts/reference.yaml"
    environment = read(file, root=repository, name="reference", environ=ENVIRON)
    assert environment.dotenv == repository / ".env.reference"


@pytest.mark.parametrize("path", sorted(MODEL), ids=dotted)
def test_the_reference_states_the_default(path: KeyPath) -> None:
    field = model_fields(path[:-1])[str(path[-1])]
    _, _, stated = line_of(path).rpartition(" # ")
    if field.is_required():
        assert stated == "required"
        return
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default in ([], {}):
        assert stated == "no default"
        return
    assert stated == "default"
    if not model_fields(path):  # a section's defaults are those of its keys
        assert repository_value(path) == str(default)


def repository_value(path: KeyPath) -> str:
    """The value in the reference, in the words of Python: durations in seconds, sizes in bytes."""
    from deploy.settings.durations import seconds
    from deploy.settings.sizes import bytes_of

    value: Any = WHOLE.data
    for part in path:
        value = value[part]
    if isinstance(value, str) and re.fullmatch(r"\d+(ms|s|m|h)", value):
        value = seconds(value)
    elif isinstance(value, str) and re.fullmatch(r"\d+[kMGT]?i?B", value):
        value = bytes_of(value)
    return str(value)


def test_every_key_of_the_reference_is_explained() -> None:
    """Prose stands right above each key, but for the short entries of a second host or service."""
    lines = REFERENCE.splitlines()
    bare = [
        line.strip()
        for above, line in pairwise(lines)
        if KEY.match(line) and not re.match(r" *# ", above)
    ]
    assert bare == [
        "LOG_LEVEL: info",
        "web-1:",
        "WORKERS: 4",
        "db-1: {address: 203.0.113.31, roles: [db]}",
        "web:",
        "worker: {role: worker}",
        "home:",
    ]


# --- the JSON Schema -----------------------------------------------------------------------------


def test_the_schema_knows_what_the_model_knows() -> None:
    whole = schema()
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(whole["properties"]) == {path[0] for path in MODEL if len(path) == 1}
    assert whole["required"] == ["app", "image", "hosts", "services"]
    assert whole["additionalProperties"] is False
    service = whole["$defs"]["Service"]
    assert set(service["properties"]) == {
        path[2] for path in MODEL if path[:2] == ("services", "web") and len(path) == 3
    }
    assert service["additionalProperties"] is False
    assert whole["$defs"]["VersionProbe"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("hosts", {"string", "object"}),
        ("image", {"string", "object"}),
        ("proxy", {"string", "Proxy"}),
    ],
)
def test_the_schema_allows_both_ways_of_writing(key: str, kinds: set[str]) -> None:
    choices = schema()["properties"][key]
    choices = choices.get("anyOf") or choices["oneOf"]
    assert {c.get("type") or c["$ref"].rpartition("/")[2] for c in choices} == kinds


def test_the_schema_has_durations_as_text_and_as_numbers() -> None:
    bake = schema()["$defs"]["Rollout"]["properties"]["bake"]
    assert {choice["type"] for choice in bake["anyOf"]} == {"number", "string"}


def test_files_that_are_elsewhere_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "secrets").touch(mode=0o600)
    (tmp_path / "secrets").write_text("SESSION_KEY=value-0\n")
    text = GOOD + "secrets: [SESSION_KEY]\nssh: {user: ops, key: ~/.ssh/mine}\n"
    found = loaded(
        tmp_path,
        text,
        {
            "DEPLOY_SSH_KEY_FILE": "/run/key",
            "DEPLOY_KNOWN_HOSTS_FILE": "/run/known_hosts",
            "DEPLOY_DOTENV_FILE": str(tmp_path / "secrets"),
        },
    )
    assert (found.ssh.user, str(found.ssh.key)) == ("ops", "/run/key")
    assert str(found.ssh.known_hosts) == "/run/known_hosts"
    assert found.secret("SESSION_KEY").reveal() == "value-0"


@pytest.mark.parametrize(
    ("held", "line"),
    [
        ("", "hosts/url.yaml:1  url: is empty, expected an address"),
        ("[a]", "hosts/url.yaml:1  url: is a list, expected an address"),
        (
            "# made\nshop.example",
            "hosts/url.yaml:2  url: is 'shop.example', expected an address such as "
            "https://shop.example",
        ),
    ],
)
def test_a_file_that_holds_no_address(tmp_path: Path, held: str, line: str) -> None:
    """That there is none to ask is not told beside it."""
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts/url.yaml").write_text(held)
    text = GOOD + "url: url.yaml\nsmoke: {probes: {home: {kind: home}}}\n"
    assert refused(tmp_path, text) == [line]


def test_an_address_that_looks_like_a_file(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD + "url: https://a.example/b.yaml\n").url == (
        "https://a.example/b.yaml"
    )


def test_an_empty_variable_names_no_file(tmp_path: Path) -> None:
    found = loaded(tmp_path, GOOD, {"DEPLOY_SSH_KEY_FILE": "", "DEPLOY_KNOWN_HOSTS_FILE": ""})
    assert found.ssh.key is None
    assert found.ssh.known_hosts == tmp_path / "hosts" / "known_hosts"


def test_a_section_that_is_none_stays_a_fault(tmp_path: Path) -> None:
    (said,) = refused(tmp_path, GOOD + "ssh: deploy\n", {"DEPLOY_SSH_KEY_FILE": "/run/key"})
    assert said.startswith("hosts/production.yaml:8  ssh: ")

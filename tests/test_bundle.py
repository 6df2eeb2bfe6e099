"""What goes with a release, out of a real checkout."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.bundle import (
    Beside,
    Bound,
    assemble,
    beside,
    given_values,
    image_values,
    missing_variables,
    other_images,
    pack,
    rolled_services,
)
from deploy.errors import SettingsError
from deploy.registry import Found

from .compose.project import FLEET, HOSTS, compose_of, environment_of

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile
    from deploy.settings import Environment

REF = "ghcr.io/acme/shop@sha256:" + "1" * 64


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
        },
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository within which nothing outside of it can be."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def put(root: Path, *paths: str, tracked: bool = True) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"this is {path}\n")
        if tracked:
            git(root, "add", path)


def found(root: Path, web: str, hosts: str = HOSTS, rest: str = "") -> Beside:
    compose = compose_of(root, f"services: {{web: {{image: i, {web}}}}}\n{rest}")
    return beside(environment_of(root, hosts), compose)


def wrong(root: Path, web: str, hosts: str = HOSTS) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        found(root, web, hosts)
    return [str(fault) for fault in caught.value.faults]


# --- what is shipped, and what is not ------------------------------------------------------------


def test_what_git_tracks_is_shipped(root: Path) -> None:
    put(root, "Caddyfile", "conf/a.ini", "conf/deep/b.ini", "key.txt", "app.ini", "web.env")
    it = found(
        root,
        "volumes: ['./Caddyfile:/c:ro', './conf:/conf'], env_file: [.env, web.env], "
        "secrets: [key], configs: [app]",
        rest="secrets: {key: {file: key.txt}}\nconfigs: {app: {file: ./app.ini}}\n",
    )
    assert it.files.keys() == {
        "Caddyfile", "conf/a.ini", "conf/deep/b.ini", "key.txt", "app.ini", "web.env",
    }  # fmt: skip
    assert it.files["conf/a.ini"] == (b"this is conf/a.ini\n", 0o644)
    assert it.shipped == {"Caddyfile", "conf", "key.txt", "app.ini", "web.env"}
    assert it.on_hosts == ()


def test_a_folder_ships_only_what_git_tracks_of_it(root: Path) -> None:
    put(root, "conf/a.ini")
    put(root, "conf/secret.txt", "data/rows.db", tracked=False)
    it = found(root, "volumes: ['./conf:/c', './data:/d', './nothing:/n']")
    assert it.files.keys() == {"conf/a.ini"}
    assert it.bound == {
        "data": Bound(frozenset({"web"}), untracked=True),
        "nothing": Bound(frozenset({"web"}), untracked=False),
    }
    assert it.on_hosts == ("data", "nothing")


def test_what_git_ignores_is_not_shipped(root: Path) -> None:
    (root / ".gitignore").write_text("*.local\n")
    put(root, "conf/a.ini")
    put(root, "conf/b.local", "c.local", tracked=False)
    it = found(root, "volumes: ['./conf:/c', './c.local:/l']")
    assert it.files.keys() == {"conf/a.ini"}
    assert it.on_hosts == ("c.local",)


def test_without_git_a_file_is_shipped_and_a_folder_is_not(tmp_path: Path) -> None:
    for path in ("Caddyfile", "data/rows.db"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("x")
    it = found(tmp_path, "volumes: ['./Caddyfile:/c', './data:/d']")
    assert it.files.keys() == {"Caddyfile"}
    assert it.bound == {"data": Bound(frozenset({"web"}), untracked=True)}


def test_files_names_what_git_does_not_know(root: Path) -> None:
    put(root, "data/rows.db", "page.html", "conf/a.ini", tracked=False)
    hosts = HOSTS + "files: [data, page.html, conf]\n"
    it = found(root, "volumes: ['./data:/d', './conf/a.ini:/a', './conf/b.ini:/b']", hosts)
    assert it.files.keys() == {"data/rows.db", "page.html", "conf/a.ini"}
    assert it.shipped == {"data", "page.html", "conf", "conf/a.ini"}
    assert it.on_hosts == ("conf/b.ini",)


def test_files_that_are_not_there(root: Path) -> None:
    (root / "empty").mkdir()
    assert wrong(root, "", HOSTS + "files: [nothing, empty]\n") == [
        "hosts/production.yaml  files: nothing is not beside compose.yaml",
        "hosts/production.yaml  files: empty is not beside compose.yaml",
    ]


def test_a_path_that_leads_out_of_the_folder_is_the_hosts(root: Path) -> None:
    (root.parent / "outside.ini").write_text("x")
    put(root, "app/inside.ini", "shared.ini")
    (root / "app/compose.yaml").write_text("")
    compose = "compose: app/compose.yaml\n"
    environment = environment_of(root, HOSTS + compose)
    file = compose_of(
        root / "app",
        "services: {web: {image: i, volumes: ['../shared.ini:/s', '../../outside.ini:/o', "
        "'./inside.ini:/i']}}",
    )
    it = beside(environment, file)
    assert it.files.keys() == {"inside.ini"}
    assert it.on_hosts == ("../shared.ini", "../../outside.ini")


def test_which_services_need_a_path(root: Path) -> None:
    compose = compose_of(
        root,
        """\
services:
  web: {image: i, volumes: ['./data:/d', './logs:/l']}
  db: {image: d, volumes: ['./data:/d'], secrets: [key]}
secrets: {key: {file: key.txt}, unused: {file: unused.txt}}
""",
    )
    it = beside(environment_of(root), compose)
    assert {path: sorted(bound.services) for path, bound in it.bound.items()} == {
        "data": ["db", "web"],
        "logs": ["web"],
        "key.txt": ["db"],
    }


def test_an_env_file_that_may_be_absent_is_needed_by_nobody(root: Path) -> None:
    put(root, "known.env")
    put(root, "mine.env", tracked=False)
    paths = ("known", "mine", "none")
    files = ", ".join(f"{{path: {path}.env, required: false}}" for path in paths)
    it = found(root, f"env_file: [{files}, must.env, /etc/x.env, ./.env]")
    assert it.files.keys() == {"known.env"}
    assert it.on_hosts == ("must.env",)


def test_a_bind_whose_path_is_a_variable(root: Path) -> None:
    put(root, "a.ini", "b.ini")
    it = found(root, "volumes: ['${CONF:-./a.ini}:/a']", HOSTS + "env: {CONF: ./b.ini}\n")
    assert it.files.keys() == {"b.ini"}


def test_a_path_is_no_pattern(root: Path) -> None:
    put(root, "conf/[a]*.ini", "conf/a1.ini")
    it = found(root, "volumes: ['./conf/[a]*.ini:/a']")
    assert it.files.keys() == {"conf/[a]*.ini"}


def test_modes(root: Path) -> None:
    put(root, "run.sh", "plain.txt")
    (root / "run.sh").chmod(0o700)
    (root / "plain.txt").chmod(0o600)
    it = found(root, "volumes: ['./run.sh:/r', './plain.txt:/p']")
    assert [mode for _, mode in it.files.values()] == [0o755, 0o644]


def test_what_a_release_cannot_carry(root: Path) -> None:
    put(root, "conf/a.ini", "conf/gone.ini", "sub/x")
    (root.parent / "outside.txt").write_text("hidden")
    (root / "conf/gone.ini").unlink()
    for name, target in {
        "conf/in.ini": "a.ini",
        "conf/out.txt": "../../outside.txt",
        "conf/broken": "nowhere",
        "conf/folder": "../sub",
        "conf/passwd": "/etc/passwd",
    }.items():
        (root / name).symlink_to(target)
        git(root, "add", name)
    mend = "; put the file itself there, or take it away"
    assert wrong(root, "volumes: ['./conf:/c']", HOSTS + "files: [conf/out.txt, none]\n") == [
        "conf/out.txt  is a symlink that leads out of the compose file's folder" + mend,
        "hosts/production.yaml  files: none is not beside compose.yaml",
        "conf/broken  is a symlink to nothing" + mend,
        "conf/folder  is no file: a release carries no submodule, no symlink to a folder, no device"
        + mend,
        "conf/gone.ini  is tracked, but not there" + mend,
        "conf/out.txt  is a symlink that leads out of the compose file's folder" + mend,
        "conf/passwd  is a symlink that leads out of the compose file's folder" + mend,
    ]
    it = found(root, "volumes: ['./conf/in.ini:/c']")
    assert it.files["conf/in.ini"][0] == b"this is conf/a.ini\n"


# --- variables and images ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "values"),
    [
        ("${SHOP_IMAGE:?}", {"SHOP_IMAGE": REF}),
        ("$SHOP_IMAGE", {"SHOP_IMAGE": REF}),
        ("${SHOP_IMAGE:-shop:dev}", {"SHOP_IMAGE": REF}),
        ("acme/shop:${TAG}", {"TAG": "v2"}),
        ("acme/shop:${TAG:-latest}-alpine", {"TAG": "v2"}),
        ("localhost:5050/shop:$TAG", {"TAG": "v2"}),
        ("${REPOSITORY}:${TAG}", {"REPOSITORY": "ghcr.io/acme/shop", "TAG": "v2"}),
        ("${REGISTRY:-ghcr.io}/acme/shop:${TAG}", {"TAG": "v2"}),
        ("${REGISTRY}:5000/acme/shop:${TAG}", {"TAG": "v2"}),
        ("${GIVEN}:${TAG}", {"TAG": "v2"}),
        ("acme/shop:latest", {}),
        ("localhost:5050/shop", {}),
        ("${REGISTRY}/acme/shop", {}),
        ("", {}),
    ],
)
def test_image_values(tmp_path: Path, image: str, values: dict[str, str]) -> None:
    compose = compose_of(tmp_path, f"services: {{web: {{image: '{image}'}}}}")
    assert image_values(compose, {"web": REF}, "v2", {"GIVEN": "x"}) == values


def test_which_services_run_the_application(tmp_path: Path) -> None:
    hosts = HOSTS.replace("image: ghcr.io/acme/shop", "image: {web: r/front, api: r/back}")
    hosts += "  api: {port: 8000}\n  cron: {rolled: false}\n"
    compose = compose_of(
        tmp_path,
        """\
services:
  web: {image: w}
  api: {image: a, depends_on: {migrate: {condition: service_completed_successfully}, db: }}
  migrate: {image: a}
  cron: {image: c}
  db: {image: d}
""",
    )
    assert rolled_services(environment_of(tmp_path, hosts), compose) == {
        "web": "r/front",
        "api": "r/back",
        "migrate": "r/back",
    }


def lacking(root: Path, compose: str, hosts: str, values: dict[str, str]) -> list[str]:
    faults = missing_variables(compose_of(root, compose), values, environment_of(root, hosts))
    return [str(fault) for fault in faults]


def test_every_missing_variable_is_told_with_its_mend(tmp_path: Path) -> None:
    compose = """\
services:
  web: {image: "${IMAGE:?}", command: "$A ${B:-b} ${C} $$D ${EMPTY:?}", labels: {x: "${A}"}}
x-own: "${HOST_NAME} ${COMPOSE_PROJECT_NAME:?} ${HEADWAY_RELEASE:?}"
"""
    assert lacking(tmp_path, compose, HOSTS, {"IMAGE": "i", "EMPTY": ""}) == [
        f"compose.yaml  ${{{name}}}: nothing provides it; "
        f"add {name} to env: or secrets: in hosts/production.yaml"
        for name in ("A", "C", "EMPTY")
    ]
    given = {"IMAGE": "i", "EMPTY": "x", "A": "", "C": ""}
    assert lacking(tmp_path, compose, HOSTS, given) == []


def test_a_variable_that_only_some_hosts_have(tmp_path: Path) -> None:
    hosts = FLEET.replace("roles: [db]", "roles: [db], env: {SOME: 1, ALL: 1}")
    hosts = hosts.replace("roles: [web]", "roles: [web], env: {ALL: 1}")
    hosts = hosts.replace("roles: [worker]", "roles: [worker], env: {ALL: 1}")
    assert lacking(tmp_path, "services: {web: {image: '$SOME$ALL'}}", hosts, {}) == [
        "compose.yaml  ${SOME}: nothing provides it on web-1, worker-1; "
        "add SOME to env: or secrets: in hosts/production.yaml"
    ]


def test_other_images(tmp_path: Path) -> None:
    compose = compose_of(
        tmp_path, "services: {db: {image: 'postgres:${PG:-17}'}, web: {image: w}, b: {build: .}}"
    )
    names = ("db", "b", "headway-proxy")
    assert other_images(compose, names, {"PG": "16"}) == ["postgres:16"]


# --- the whole release ---------------------------------------------------------------------------


def whole(root: Path) -> tuple[Environment, ComposeFile]:
    hosts = HOSTS + "env: {LEVEL: info}\nsecrets: [KEY]\n"
    environment = environment_of(root, hosts, {"KEY": "hidden"})
    compose = compose_of(
        root, "services: {web: {image: '${IMAGE:?}', command: $KEY, volumes: ['./a.ini:/a']}}"
    )
    return environment, compose


def test_assemble(root: Path) -> None:
    put(root, "a.ini")
    git(root, "commit", "-q", "-m", "Add the file\n\nMore.")
    sha = git(root, "rev-parse", "HEAD")
    environment, compose = whole(root)
    label = "org.opencontainers.image.revision"
    image = Found("ghcr.io/acme/shop", "v2", f"sha256:{'1' * 64}", ("linux/amd64",), {label: sha})
    bundle, carried = assemble(environment, compose, {"web": image}, "v2")
    assert bundle.release.images == {"web": REF}
    assert (bundle.release.commit, bundle.release.author) == (sha, "Ada")
    assert bundle.release.subject == "Add the file"
    assert bundle.values == {"LEVEL": "info", "KEY": "hidden", "IMAGE": REF}
    assert bundle.beside == carried.files == {"a.ini": (b"this is a.ini\n", 0o644)}
    assert bundle.compose == compose.text
    assert bundle.release.id.startswith("v2-")
    again, _ = assemble(environment, compose, {"web": image}, "v2")
    assert again.release.id == bundle.release.id
    assert "hidden" not in json.dumps(json.loads(bundle.release.to_json()))


@pytest.mark.parametrize(
    ("revision", "commit"),
    [("", ""), ("unknown", ""), ("-x", ""), ("0123456789abcdef", "0123456789abcdef")],
)
def test_a_revision_that_git_does_not_know(root: Path, revision: str, commit: str) -> None:
    put(root, "a.ini")
    environment, compose = whole(root)
    labels = {"org.opencontainers.image.revision": revision}
    image = Found("ghcr.io/acme/shop", "v2", "sha256:1", ("linux/amd64",), labels)
    bundle, _ = assemble(environment, compose, {"web": image}, "v2")
    assert (bundle.release.commit, bundle.release.author) == (commit, "")


def test_the_labels_speak_where_git_does_not_know_the_commit(root: Path) -> None:
    put(root, "a.ini")
    git(root, "commit", "-q", "-m", "Add the file")
    environment, compose = whole(root)
    said = {"headway.author": "Bo", "headway.subject": "Coupons (#212)\n\nMore."}
    found = []
    for revision in ("0123456789abcdef", git(root, "rev-parse", "HEAD")):
        labels = said | {"org.opencontainers.image.revision": revision}
        image = Found("ghcr.io/acme/shop", "v2", "sha256:1", ("linux/amd64",), labels)
        bundle, _ = assemble(environment, compose, {"web": image}, "v2")
        found.append((bundle.release.author, bundle.release.subject))
    assert found == [("Bo", "Coupons (#212)"), ("Ada", "Add the file")]


def test_a_release_lacks_no_variable(root: Path) -> None:
    environment, _ = whole(root)
    compose = compose_of(root, "services: {web: {image: i, command: '$ONE ${TWO:?}'}}")
    image = Found("ghcr.io/acme/shop", "v2", "sha256:1", ("linux/amd64",), {})
    with pytest.raises(SettingsError) as caught:
        assemble(environment, compose, {"web": image}, "v2")
    assert [fault.path for fault in caught.value.faults] == ["${ONE}", "${TWO}"]


def test_given_values(tmp_path: Path) -> None:
    environment, _ = whole(tmp_path)
    assert given_values(environment) == {"LEVEL": "info", "KEY": "hidden"}


def test_pack() -> None:
    files = {"b/run.sh": (b"#!/bin/sh\n", 0o755), "a": (b"", 0o600)}
    packed = pack(files)
    assert packed == pack(dict(reversed(files.items())))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        members = archive.getmembers()
        assert [(one.name, one.mode, one.size, one.uid) for one in members] == [
            ("a", 0o600, 0, 0),
            ("b/run.sh", 0o755, 10, 0),
        ]
        run = archive.extractfile("b/run.sh")
        assert run is not None
        assert run.read() == b"#!/bin/sh\n"

"""A failing deploy, a whole one and a rollback, and no secret of theirs where none belongs."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from dotenv import dotenv_values

from deploy.release import quoted
from deploy.sandbox import images
from deploy.sandbox.home import Home
from deploy.sandbox.outside.told import entries
from tests.faults.canaries import (
    STORIES,
    Canaries,
    in_stories,
    on_disk,
    own_containers,
    process_lists,
    texts,
    watching,
    with_login,
    written,
)
from tests.faults.questions import ask
from tests.faults.watched import DOCKER
from tests.fleet.database import DOWN, EXPAND
from tests.fleet.project import ROOT, WEB, Done, Project, on_host

if TYPE_CHECKING:
    from tests.fleet.conftest import Loads

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(1200)]

HOSTS = (*WEB, "worker-1", "db-1")
SPECIAL = "canary/of the+session&key=100%: 'a' \"b\""
PLANTED = "canary-planted-to-be-found"

# Somebody debugs, and then it ends.
PRINTING = """\
FROM localhost:5050/shop:v1
ENV SHOP_VERSION=printing
CMD ["sh", "-c", "env | grep -E 'CANARY|SESSION|DATABASE'; \
     printf %s \\"$SESSION_KEY\\" | base64 -w 0; echo; exit 1"]
"""

# Where secrets belong: what a host runs by, and the database itself. `run` says what containers
# said, unredacted: docs/security.md.
MEANT = (
    "/srv/*/.env",
    "/srv/shop/.headway/releases/*/.env",
    "/srv/shop/.headway/run",
    "/srv/shop/backups/*.dump",
)


@pytest.fixture
def canaries(shop_with_rows: Project, tmp_path: Path) -> Canaries:
    """The shop with secrets of its own, in a dotenv file and in its compose file."""
    known = dotenv_values(ROOT / ".sandbox" / "env")
    values = {name: value for name, value in known.items() if value}
    values |= {"SESSION_KEY": f"{SPECIAL} {SPECIAL}", "CANARY_TOKEN": "canary-token-4711"}
    dotenv = tmp_path / "dotenv"
    dotenv.touch(0o600)
    dotenv.write_text("".join(f"{name}={quoted(value)}\n" for name, value in values.items()))
    assert dotenv_values(dotenv, interpolate=False) == values
    text = shop_with_rows.compose_text()
    line = "      SESSION_KEY: ${SESSION_KEY:?}\n"
    assert text.count(line) == 1
    (tmp_path / "compose.yaml").write_text(
        text.replace(line, f"{line}      CANARY_TOKEN: ${{CANARY_TOKEN:?}}\n")
    )
    (tmp_path / "Caddyfile").write_text(shop_with_rows.beside("Caddyfile"))
    shop_with_rows.change(
        compose=str(tmp_path / "compose.yaml"),
        dotenv=str(dotenv),
        secrets=[*shop_with_rows.body["secrets"], "CANARY_TOKEN"],
        notify=yaml.safe_load((ROOT / "hosts" / "sandbox.yaml").read_text())["notify"],
    )
    return Canaries(with_login(values))


@pytest.fixture
def printing(fleet: None, tmp_path: Path) -> str:
    """A version that prints its environment, and ends."""
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "Dockerfile").write_text(PRINTING)
    name = "localhost:5050/shop:printing"
    DOCKER("build", "--quiet", "--tag", name, str(folder))
    with images.login(DOCKER, Home().secret("REGISTRY_PASSWORD")) as pusher:
        pusher("push", "--quiet", name)
    return "printing"


def plant(host: str) -> None:
    """What the watch over the process lists must find, on each host."""
    DOCKER("exec", f"headway-{host}", "sh", "-c", "sleep 1; :", f"{PLANTED}-{host}")


def test_no_secret_where_none_belongs(
    shop_with_rows: Project,
    canaries: Canaries,
    printing: str,
    image: Callable[..., str],
    load: Loads,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = shop_with_rows
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    shop.on("v1")  # with the secrets that are looked for
    tag = image("canaries", x1_colour=EXPAND, **DOWN)
    for host in HOSTS:
        on_host(host, "touch /tmp/.began")
    runs: list[Done] = []
    before = len(entries(DOCKER))
    looked_for = Canaries({**canaries.values, "planted": PLANTED})
    with (
        load() as traffic,
        watching(process_lists, looked_for) as processes,
        watching(lambda: own_containers(DOCKER, ["web-1", "db-1"]), canaries, every=2) as inspected,
    ):
        for host in HOSTS:
            plant(host)
        for verb, *words in (
            ("check",),
            ("plan", "--tag", printing),
            ("deploy", "--tag", printing),
            ("deploy", "--tag", tag),
            ("status",),
            ("rollback",),
            ("history",),
            ("report", "--json"),
            ("report", "--out", "page.html"),
        ):
            runs.append(shop.inv(verb, *words))
    failed, whole, back = runs[2], runs[3], runs[5]

    # What is looked for was there to be found.
    assert processes.looks > 50
    assert inspected.texts > 0
    found = {one for one in processes.found if one.startswith("planted: ")}
    assert all(any(f"{PLANTED}-{host}" in one for one in found) for host in HOSTS), found
    assert failed.exit_code == 4, failed.text
    assert "CANARY_TOKEN=********" in failed.text
    assert whole.exit_code == 0, whole.text
    assert "rehears" in whole.text

    # And it was nowhere.
    for done in runs:
        assert canaries.within(done.text) == set()
    page = html.unescape((shop.folder / "page.html").read_text())
    assert canaries.within(page) == set()
    told = entries(DOCKER)[before:]
    assert {one["to"] for one in told} == {"slack", "webhook"}
    said = [text for one in told for text in texts(one["body"])]
    assert any("CANARY_TOKEN=********" in one for one in said), "Slack has the container's lines"
    assert not any(map(canaries.within, said))
    assert processes.found - found == set()
    assert inspected.found == set()
    said_by = "find /srv/shop/.headway/run -name '*.log' -newer /tmp/.began"
    for host in HOSTS:
        assert on_disk(DOCKER, host, canaries, *MEANT) == [], host
        assert on_host(host, f"{said_by} | wc -l") != "0", host
        assert on_host(host, f"{said_by} -perm /077") == "", host
    kept = [on_host(host, f"find {STORIES} -newer /tmp/.began 2>/dev/null || :") for host in HOSTS]
    assert "".join(kept).count(".json.gz") == 3, "two deploys and a rollback have left theirs"
    for host in HOSTS:
        assert not any(in_stories(DOCKER, host, canaries).values()), host
    left = [path for path in temporary.rglob("*") if path.is_file()]
    assert [path for path in left if canaries.within(path.read_text("utf-8", "replace"))] == []
    ask(shop, traffic, back, exit_code=0, version="v1", first=failed)


def test_a_login_that_docker_keeps_is_recognised() -> None:
    password = "canary-of-the-registry"
    with images.login(DOCKER, password) as logged_in:
        kept = Path(logged_in.command[-1], "config.json").read_text()
    assert Canaries({"password": password}).within(kept) == set()
    found = Canaries(with_login({"REGISTRY_PASSWORD": password})).within(kept)
    assert found == {"the registry's login"}


def test_a_search_that_finds(fleet: None) -> None:
    """The search of a host's files finds each of the forms, where nobody has put it on purpose."""
    canaries = Canaries({"one": SPECIAL})
    folder = "/tmp/canary-stories"
    story = json.dumps({"events": [{"text": f"before {SPECIAL} after"}]})
    shell = f"mkdir {folder}; gzip >{folder}/one.json.gz"
    DOCKER(*("exec", "-i", "headway-web-1", "sh", "-c", shell), stdin=story.encode())
    try:
        assert in_stories(DOCKER, "web-1", canaries, folder) == {"one.json.gz": {"one"}}
    finally:
        DOCKER("exec", "headway-web-1", "rm", "-r", folder)
    for number, text in enumerate(sorted(written(SPECIAL))):
        DOCKER(
            *("exec", "-i", "headway-web-1", "sh", "-c", f"cat >/tmp/canary-{number}"),
            stdin=f"before {text} after".encode(),
        )
    try:
        found = on_disk(DOCKER, "web-1", canaries, *MEANT)
    finally:
        DOCKER("exec", "headway-web-1", "sh", "-c", "rm -f /tmp/canary-*")
    assert sorted(found) == [f"/tmp/canary-{number}" for number in range(len(written(SPECIAL)))]

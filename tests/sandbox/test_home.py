"""`.sandbox/`: what is in it, for whom, and that it is made once."""

import socket
import stat
from dataclasses import replace

import pytest
import yaml
from dotenv import dotenv_values

from deploy.errors import UsageError
from deploy.sandbox.fleet import bring_all
from deploy.sandbox.home import Home, public_key, write
from deploy.sandbox.machines import fleet


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / ".sandbox")
    with made.locked():
        made.prepare()
        made.write_hosts(fleet(2, 8080))
    return made


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_can_read_it(home):
    home.registry_login("sandbox")
    assert mode(home.path) == 0o700
    secret = [home.key, home.env, home.hosts, home.url, home.known_hosts, home.path / "htpasswd"]
    secret += (home.path / "host_keys").iterdir()
    assert {mode(path) for path in secret} == {0o600}


def test_secrets_are_made_once_and_belong_together(home):
    first = dotenv_values(home.env)
    home.prepare()
    assert dotenv_values(home.env) == first
    assert set(first) == {
        "REGISTRY_PASSWORD",
        "DATABASE_PASSWORD",
        "DATABASE_URL",
        "SESSION_KEY",
        "SANDBOX_SLACK_TOKEN",
        "SANDBOX_SLACK_WEBHOOK",
        "SANDBOX_CLOUDFLARE_TOKEN",
        "SANDBOX_WEBHOOK_KEY",
    }
    password = first["DATABASE_PASSWORD"]
    assert first["DATABASE_URL"] == f"postgresql://shop:{password}@10.231.3.1:5432/shop"
    assert home.secret("SESSION_KEY") == first["SESSION_KEY"]


def test_an_older_sandbox_keeps_its_secrets_and_gets_those_that_are_new(home):
    older = dotenv_values(home.env)
    lines = [line for line in home.env.read_text().splitlines() if not line.startswith("SANDBOX_")]
    home.env.write_text("\n".join(lines))
    home.prepare()
    newer = dotenv_values(home.env)
    assert list(newer) == list(older)
    kept = [name for name in newer if newer[name] == older[name]]
    assert kept == ["REGISTRY_PASSWORD", "DATABASE_PASSWORD", "DATABASE_URL", "SESSION_KEY"]
    assert mode(home.env) == 0o600


def test_two_sandboxes_share_no_secret(home, tmp_path):
    other = Home(tmp_path / "other")
    other.prepare()
    assert not set(dotenv_values(home.env).values()) & set(dotenv_values(other.env).values())


def test_the_hosts_file_and_the_pinned_keys(home):
    assert yaml.safe_load(home.hosts.read_text()) == {
        "web-1": {"address": "127.0.0.1", "port": 22001, "roles": ["web"]},
        "web-2": {"address": "127.0.0.1", "port": 22002, "roles": ["web"]},
        "worker-1": {"address": "127.0.0.1", "port": 22101, "roles": ["worker"]},
        "db-1": {"address": "127.0.0.1", "port": 22201, "roles": ["db"]},
    }
    assert home.host_names() == ["web-1", "web-2", "worker-1", "db-1"]
    assert home.known_hosts.read_text().splitlines() == [
        f"[127.0.0.1]:{port} {public_key(home.host_key(name))}"
        for name, port in [("web-1", 22001), ("web-2", 22002), ("worker-1", 22101), ("db-1", 22201)]
    ]


def test_the_edge_answers_where_the_last_up_has_put_it(home, tmp_path):
    home.write_hosts(fleet(2, 9000))
    assert yaml.safe_load(home.url.read_text()) == home.address() == "http://127.0.0.1:9000"
    with pytest.raises(UsageError, match="not up") as refused:
        Home(tmp_path / "other").address()
    assert refused.value.mend == "inv sandbox.up"


def test_an_up_that_is_refused_says_of_no_other_fleet(home):
    class Refusing:
        """An engine with no machine on it yet."""

        def lines(self, *argv):
            return [] if argv[0] == "ps" else pytest.fail(f"asked for {argv}")

    written = {path: path.read_text() for path in (home.url, home.hosts, home.known_hosts)}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        machines = [replace(one, ports=((taken.getsockname()[1], 80),)) for one in fleet(3, 9000)]
        tags = dict.fromkeys(("vps", "registry", "edge", "outside"), "image")
        with pytest.raises(UsageError, match="Nothing has been changed"):
            bring_all(Refusing(), home, machines, tags, pool=None, say=pytest.fail)
    assert {path: path.read_text() for path in written} == written


def test_a_host_that_comes_back_has_its_old_key(home):
    before = home.known_hosts.read_text()
    home.write_hosts(fleet(1, 8080))
    assert "22002" not in home.known_hosts.read_text()
    home.write_hosts(fleet(2, 8080))
    assert home.known_hosts.read_text() == before


def test_it_is_not_complete_without_what_cannot_be_made_again(home):
    assert home.complete
    home.env.unlink()
    assert not home.complete


def test_a_write_that_was_cut_short_is_no_obstacle(tmp_path):
    (tmp_path / ".env.new").write_text("half")
    write(tmp_path / "env", b"whole", 0o600)
    assert (tmp_path / "env").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["env"]

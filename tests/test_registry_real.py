"""A real docker-registry: the one of the sandbox, which asks for a login. Nothing is changed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from dotenv import dotenv_values

from deploy.errors import Refused
from deploy.registry import Login, Registry
from deploy.sandbox import fleet

pytestmark = pytest.mark.fleet

SERVER = "localhost:5050"
ENV = Path(__file__).parent.parent / ".sandbox/env"


@pytest.fixture(scope="module", autouse=True)
def sandbox() -> None:
    """The sandbox as it is, or a new one where there is none."""
    with socket.socket() as one:
        away = one.connect_ex(("127.0.0.1", 5050)) != 0
    if away:
        fleet.up()


def password() -> str:
    value = dotenv_values(ENV)["REGISTRY_PASSWORD"]
    assert value
    return value


def test_an_image_of_the_sandbox() -> None:
    asking = Registry(SERVER, Login("sandbox", password()))
    found = asking.find(f"{SERVER}/caddy", "2")
    assert found is not None
    assert found.ref.startswith(f"{SERVER}/caddy@sha256:")
    assert len(found.platforms) == 1
    assert found.platforms[0].startswith("linux/")
    again = asking.find(f"{SERVER}/caddy", found.tag)
    assert again == found


def test_no_such_image_or_repository() -> None:
    asking = Registry(SERVER, Login("sandbox", password()))
    assert asking.find(f"{SERVER}/caddy", "no-such-tag") is None
    assert asking.find(f"{SERVER}/no-such-repository", "v1") is None


@pytest.mark.parametrize("login", [None, Login("sandbox", "wrong"), Login("nobody", "x")])
def test_without_the_right_login(login: Login | None) -> None:
    with pytest.raises(Refused, match=r"refused .* \(401\)"):
        Registry(SERVER, login).find(f"{SERVER}/caddy", "2")

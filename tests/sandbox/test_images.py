"""How the sandbox's images are built behind a proxy that has a CA of its own."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.sandbox import images


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no such file anywhere."""
    for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(images, "BUNDLES", ())
    none = SimpleNamespace(cafile=None)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: none)


def put(path: Path) -> Path:
    path.write_text("-----BEGIN CERTIFICATE-----\n")
    return path


def test_what_the_user_names_comes_first(
    nothing: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (put(tmp_path / name) for name in ("node", "ssl", "system"))
    monkeypatch.setattr(images, "BUNDLES", (str(tmp_path / "gone"), str(third)))
    assert images.ca_bundle() == third
    monkeypatch.setenv("SSL_CERT_FILE", str(second))
    assert images.ca_bundle() == second
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(first))
    assert images.ca_bundle() == first
    first.unlink()
    assert images.ca_bundle() == second


def test_it_goes_into_a_build_as_a_secret_and_into_no_layer(
    nothing: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = put(tmp_path / "ca.crt")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    argv = images.build_argv(tmp_path, "shop:v1", {"VERSION": "v1"})
    assert argv[argv.index("--secret") + 1] == f"id=ca,src={bundle}"
    assert argv[argv.index("--build-arg") + 1] == "VERSION=v1"
    assert (argv[0], argv[-1]) == ("build", str(tmp_path))
    assert argv[argv.index("--tag") + 1] == "shop:v1"


def test_a_machine_without_one_builds_without_it(nothing: None, tmp_path: Path) -> None:
    assert images.ca_bundle() is None
    assert "--secret" not in images.build_argv(tmp_path, "shop:v1", {})

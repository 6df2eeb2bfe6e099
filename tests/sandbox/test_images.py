"""How the sandbox's images are built behind a proxy that has a CA of its own."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


class Registry(BaseHTTPRequestHandler):
    """One whose only tag is an index, as Docker pushes it from containerd's store (Ubuntu's does).

    Like Debian's docker-registry 2.8, it says 404 to who does not accept one.
    """

    def do_HEAD(self) -> None:
        accepted = "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]
        self.send_response(200 if accepted and self.path == "/v2/shop/manifests/v1" else 404)
        self.send_header("Docker-Content-Digest", "sha256:0a1b")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    monkeypatch.setattr(images, "REGISTRY", f"127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def test_an_index_is_in_the_registry_as_well(registry: None) -> None:
    assert images.digest_in_registry("shop", "v1", "secret") == "sha256:0a1b"
    assert images.digest_in_registry("shop", "v2", "secret") is None

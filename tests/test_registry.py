"""What a registry is asked and how its answers are taken, against a small real HTTP server."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stamina

from deploy import registry
from deploy.errors import Refused
from deploy.registry import Found, Login, Registry, server_of

Handler = Callable[["Request"], None]
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LOGIN = Login("ada", "p:w")


class Request(BaseHTTPRequestHandler):
    """One request; the server's own handler answers it."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        self.server.answer(self)

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


class Server(ThreadingHTTPServer):
    """A registry that has documents by their path below /v2/, and remembers what it was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.documents: dict[str, bytes] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.answer: Handler = self.document

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address  # a client that has given up is what some tests are about

    def document(self, request: Request) -> None:
        body = self.documents.get(request.path.removeprefix("/v2/"))
        if body is None:
            request.send(b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}', 404)
        else:
            request.send(body, Docker_Content_Digest=digest_of(body))

    def put(self, path: str, body: object) -> str:
        """Keep a document under a path, and under its digest as well."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        folder, _, _ = path.rpartition("/")
        self.documents[path] = self.documents[f"{folder}/{digest_of(text)}"] = text
        return digest_of(text)

    def image(self, tag: str, arch: str = "amd64", labels: dict[str, str] | None = None) -> str:
        config = {"os": "linux", "architecture": arch, "config": {"Labels": labels}}
        blob = self.put(f"acme/shop/blobs/{arch}", config)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": blob}}
        return self.put(f"acme/shop/manifests/{tag}", manifest)

    def find(self, tag: str = "v2", login: Login | None = None) -> Found | None:
        return Registry(self.name, login).find(f"{self.name}/acme/shop", tag)

    def refused(self, tag: str = "v2", login: Login | None = None) -> Refused:
        with pytest.raises(Refused) as caught:
            self.find(tag, login)
        assert caught.value.exit_code == 3
        return caught.value


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    """Three tries as ever, but nothing waits between them."""
    with stamina.set_testing(True, attempts=3):
        yield


# --- images --------------------------------------------------------------------------------------


def test_a_single_image(server: Server) -> None:
    digest = server.image("v2", labels={"org.opencontainers.image.revision": "1f2e"})
    found = server.find()
    repository = f"{server.name}/acme/shop"
    labels = {"org.opencontainers.image.revision": "1f2e"}
    assert found == Found(repository, "v2", digest, ("linux/amd64",), labels)
    assert found.ref == f"{repository}@{digest}"
    path, headers = server.seen[0]
    assert path == "/v2/acme/shop/manifests/v2"
    assert {INDEX, MANIFEST} <= set(headers["Accept"].split(", "))
    assert "Authorization" not in headers


def test_an_image_without_labels(server: Server) -> None:
    server.image("v2", labels=None)
    found = server.find()
    assert found is not None
    assert found.labels == {}


def test_an_index_with_attestations(server: Server) -> None:
    manifests = [
        {"digest": server.image(arch, arch, {"of": arch}),
         "platform": {"os": "linux", "architecture": arch, **more}}
        for arch, more in (("arm64", {}), ("amd64", {}), ("arm", {"variant": "v7"}))
    ]  # fmt: skip
    manifests.insert(0, {"digest": "sha256:0", "platform": {"os": "unknown", "architecture": "x"}})
    manifests.insert(1, {"digest": "sha256:1"})
    manifests.append(dict(manifests[-1], platform={"os": "linux", "architecture": "arm"}))
    digest = server.put("acme/shop/manifests/v2", {"mediaType": INDEX, "manifests": manifests})
    found = server.find()
    assert found is not None
    assert found.digest == digest
    assert found.platforms == ("linux/arm64", "linux/amd64", "linux/arm")
    assert found.labels == {"of": "arm64"}


def test_no_such_image(server: Server) -> None:
    assert server.find("v9") is None
    assert len(server.seen) == 1


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>Sign in</html>", "{} does not answer like a registry"),
        (b"", "{} does not answer like a registry"),
        (b"[1]", "{} does not answer like a registry"),
        (b"[" * 100_000, "{} does not answer like a registry"),
        (b"{}", "the registry {} has something at {}/acme/shop:v2 that is no image"),
        (b'{"config": 1}', "the registry {} has something at {}/acme/shop:v2 that is no image"),
        (b'{"manifests": [1]}',
         "the registry {} has something at {}/acme/shop:v2 that is no image"),
        (b'{"manifests": [{"digest": "x", "platform": {"os": "unknown"}}]}',
         "the registry {} has something at {}/acme/shop:v2 that is no image"),
        (b'{"config": {"digest": "sha256:0"}}', "the registry {} answered 404"),
    ],
)  # fmt: skip
def test_garbage(server: Server, body: bytes, message: str) -> None:
    server.put("acme/shop/manifests/v2", body)
    assert server.refused().message == message.replace("{}", server.name)


@pytest.mark.parametrize("digest", ["", "sha256:short", "md5:" + "0" * 64, "sha256:" + "X" * 64])
def test_no_digest(server: Server, digest: str) -> None:
    server.answer = lambda request: request.send(b"{}", Docker_Content_Digest=digest)
    error = server.refused()
    assert error.message.endswith(f"gave no digest for {server.name}/acme/shop:v2")


def test_an_answer_without_an_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_MOST_BYTES", 1000)
    server.answer = lambda request: request.send(b'{"a": "' + b"x" * 200_000 + b'"}')
    error = server.refused()
    assert error.message.endswith("cannot be reached from this machine: ContentDecodingError")


# --- logins --------------------------------------------------------------------------------------


def basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()


def asking_basic(server: Server) -> Handler:
    def answer(request: Request) -> None:
        if request.headers["Authorization"] == basic(LOGIN):
            server.document(request)
        else:
            request.send(b"", 401, WWW_Authenticate='Basic realm="Registry"')

    return answer


def asking_bearer(server: Server, field: str = "token", status: int = 200) -> Handler:
    """Like ghcr.io and Docker Hub: an own address gives a token for what is asked for."""

    def answer(request: Request) -> None:
        parts = urlsplit(request.path)
        if parts.path == "/token":
            wanted = {"service": ["reg"], "scope": ["repository:acme/shop:pull"]}
            right = request.headers["Authorization"] == basic(LOGIN)
            good = right and parse_qs(parts.query) == wanted
            body = json.dumps({field: "the-token"}).encode()
            request.send(body, status if good else 401)
        elif request.headers["Authorization"] == "Bearer the-token":
            server.document(request)
        else:
            challenge = (
                f'Bearer realm="http://{server.name}/token",service="reg",'
                'scope="repository:acme/shop:pull"'
            )
            request.send(b"{}", 401, WWW_Authenticate=challenge)

    return answer


def test_basic_login(server: Server) -> None:
    digest = server.image("v2")
    server.answer = asking_basic(server)
    found = server.find(login=LOGIN)
    assert found is not None
    assert found.digest == digest


@pytest.mark.parametrize("field", ["token", "access_token"])
def test_bearer_login(server: Server, field: str) -> None:
    digest = server.image("v2")
    server.answer = asking_bearer(server, field)
    found = server.find(login=LOGIN)
    assert found is not None
    assert found.digest == digest


@pytest.mark.parametrize("asking", [asking_basic, asking_bearer])
@pytest.mark.parametrize(
    ("login", "who"),
    [(Login("ada", "wrong"), "the login of ada"), (None, "an unnamed visitor")],
)
def test_a_login_that_is_refused(
    server: Server, asking: Callable[[Server], Handler], login: Login | None, who: str
) -> None:
    server.image("v2")
    server.answer = asking(server)
    error = server.refused(login=login)
    assert error.message == f"the registry {server.name} refused {who} (401)"
    assert error.mend == "See registry: in the hosts file, and the secret that it names."
    assert "wrong" not in str(error)


def test_a_login_without_rights(server: Server) -> None:
    server.answer = lambda request: request.send(b"{}", 403)
    assert "refused the login of ada (403)" in server.refused(login=LOGIN).message


def test_a_challenge_without_an_address(server: Server) -> None:
    challenge = 'Bearer service="reg"'
    server.answer = lambda request: request.send(b"", 401, WWW_Authenticate=challenge)
    assert "cannot be reached" in server.refused(login=LOGIN).message


def test_a_login_of_netrc_is_never_sent(
    server: Server, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself requests takes one from there, even over a token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.image("v2")
    assert server.find() is not None
    assert all("Authorization" not in headers for _, headers in server.seen)
    server.answer = asking_bearer(server)
    assert server.find(login=LOGIN) is not None


# --- what is wrong on the way --------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_twice_busy_and_then_well(server: Server, status: int) -> None:
    server.image("v2")
    busy = iter([status, status])

    def answer(request: Request) -> None:
        code = next(busy, None)
        if code is None:
            server.document(request)
        else:
            request.send(b"busy", code)

    server.answer = answer
    assert server.find() is not None


def test_always_busy(server: Server) -> None:
    server.answer = lambda request: request.send(b"busy", 503)
    error = server.refused()
    assert error.message == f"the registry {server.name} answered 503 (3 times)"
    assert len(server.seen) == 3


def test_a_token_that_is_long_in_coming(server: Server) -> None:
    server.answer = asking_bearer(server, status=503)
    assert server.refused(login=LOGIN).message.endswith("answered 503 (3 times)")


def test_another_answer(server: Server) -> None:
    server.answer = lambda request: request.send(b"{}", 418)
    assert server.refused().message == f"the registry {server.name} answered 418"
    assert len(server.seen) == 1


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else can get the port
        name = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Refused) as caught:
            Registry(name, None).find(f"{name}/acme/shop", "v2")
    assert caught.value.message == (
        f"the registry {name} cannot be reached from this machine: ConnectionError"
    )


def silence(request: Request) -> None:
    time.sleep(5)
    request.send(b"{}")


def trickle(request: Request) -> None:
    """A byte now and then: no time-out between two bytes would ever end it."""
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    for _ in range(100):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.05)


def trickling_headers(request: Request) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(100):
        request.wfile.write(b"x")
        request.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize("hanging", [silence, trickle, trickling_headers])
def test_a_server_that_hangs(
    server: Server, hanging: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_TRY", 0.4)
    server.answer = hanging
    began = time.monotonic()
    error = server.refused()
    assert time.monotonic() - began < 3
    assert error.message.endswith("cannot be reached from this machine: Timeout")
    assert len(server.seen) == 3


def test_how_long_a_registry_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real figures: stamina's own waits between three tries, and the time of each try."""
    waits: list[float] = []
    own = threading.current_thread()

    def sleep(seconds: float) -> None:
        # A server of an earlier test may still be trickling in its own thread.
        if threading.current_thread() is own:
            waits.append(seconds)

    monkeypatch.setattr(registry, "_within", _never)
    monkeypatch.setattr(time, "sleep", sleep)
    with stamina.set_testing(False), pytest.raises(Refused):
        Registry("127.0.0.1:1", None).find("127.0.0.1:1/acme/shop", "v2")
    assert len(waits) == 2
    assert sum(waits) <= 1.3 + 1.6
    assert 3 * registry._TRY + 1.3 + 1.6 <= 35
    assert sum(registry._TIMEOUT) > registry._TRY > max(registry._TIMEOUT)


def _never(seconds: float, work: object) -> None:
    del seconds, work
    raise registry.requests.Timeout


@pytest.mark.parametrize(
    ("repository", "server"),
    [
        ("ghcr.io/acme/shop", "ghcr.io"),
        ("localhost/shop", "localhost"),
        ("localhost:5050/shop", "localhost:5050"),
        ("registry:5000/acme/shop", "registry:5000"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000"),
        ("docker.io/acme/shop", "docker.io"),
        ("acme/shop", "docker.io"),
        ("shop", "docker.io"),
        ("shop.web", "docker.io"),
    ],
)
def test_server_of(repository: str, server: str) -> None:
    assert server_of(repository) == server


@pytest.mark.parametrize(
    ("repository", "url"),
    [
        ("ghcr.io/acme/shop", "https://ghcr.io/v2/acme/shop/manifests/v2"),
        ("localhost:5050/shop", "http://localhost:5050/v2/shop/manifests/v2"),
        ("postgres", "https://registry-1.docker.io/v2/library/postgres/manifests/v2"),
        ("docker.io/postgres", "https://registry-1.docker.io/v2/library/postgres/manifests/v2"),
        ("docker.io/acme/shop", "https://registry-1.docker.io/v2/acme/shop/manifests/v2"),
        ("acme/shop", "https://registry-1.docker.io/v2/acme/shop/manifests/v2"),
    ],
)
def test_where_is_asked(repository: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def once(self: Registry, url: str, accept: str) -> registry._Answer:
        del self, accept
        asked.append(url)
        return registry._Answer(404, {}, b"")

    monkeypatch.setattr(Registry, "_once", once)
    assert Registry(server_of(repository), None).find(repository, "v2") is None
    assert asked == [url]

"""A real web server on 127.0.0.1 that answers as a test wants it to."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Handler(BaseHTTPRequestHandler):
    """One request; what it was is kept, and a route answers it."""

    protocol_version = "HTTP/1.1"
    server: Site
    body: bytes

    def answer(self, status: int = 200, body: Any = "", **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html" if isinstance(body, str) else "application/json"
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        for name, value in {"content_type": kind, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text.encode())

    def _any(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(self)
        route = self.server.routes.get(self.path.partition("?")[0])
        if route is None:
            self.answer(404, "not here")
        else:
            route(self)

    do_GET = do_POST = do_HEAD = do_PUT = _any  # noqa: N815 - the base class looks for them

    def log_message(self, *_args: Any) -> None:
        """Nothing: tests look at `asked`."""


Route = Callable[[Handler], None]


class Site(ThreadingHTTPServer):
    """Listens until `close`; `routes` may be changed meanwhile."""

    daemon_threads = True

    def __init__(self, routes: dict[str, Route], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes = routes
        self.asked: list[Handler] = []
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that goes away is what some tests are about."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


def says(status: int = 200, body: Any = "", **headers: str) -> Route:
    return lambda handler: handler.answer(status, body, **headers)


def after(*routes: Route) -> Route:
    """Each in its turn, and the last one from then on."""
    left = list(routes)

    def turn(handler: Handler) -> None:
        route = left.pop(0) if len(left) > 1 else left[0]
        route(handler)

    return turn


def certificate(folder: Path, name: str, days: float) -> tuple[ssl.SSLContext, Path]:
    """A server's context for `name` with a certificate of its own, and that certificate's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = folder / f"{name}.key"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, private)
    return context, file

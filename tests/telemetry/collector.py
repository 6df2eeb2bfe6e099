"""A collector on 127.0.0.1 that takes OTLP over HTTP, or behaves badly."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans


class Collector:
    """`how`: "right", "hang", or a status that it answers."""

    def __init__(self) -> None:
        self.how: str | int = "right"
        self.taken: list[ResourceSpans] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.end = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.headers.append({"path": self.path, **self.headers})
                if outer.how == "hang":
                    outer.end.wait(20)
                    return
                if outer.how == "right":
                    outer.bodies.append(body)
                    outer.taken += ExportTraceServiceRequest.FromString(body).resource_spans
                self.send_response(200 if outer.how == "right" else int(outer.how))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.end.set()
        self._server.shutdown()
        self._server.server_close()

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";

/** How long a peer has to answer the closing handshake before its socket is cut. */
const CLOSING_TIME = 1_000;
const GOING_AWAY = 1001;

/** The websockets of `/ws`: each message goes back as it came. */
export class EchoSockets {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });

  constructor(version: string) {
    this.#server.on("headers", (headers) => headers.push(`X-Version: ${version}`));
    this.#server.on("connection", (socket) => {
      socket.on("message", (data, binary) => socket.send(data, { binary }));
      // A peer that breaks the protocol is its own fault; `ws` closes the socket after this.
      socket.on("error", () => undefined);
    });
  }

  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = (request.url ?? "").split("?", 1)[0];
    if (path !== "/ws") {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (accepted) =>
      this.#server.emit("connection", accepted, request),
    );
  }

  close(): void {
    for (const socket of this.#server.clients) {
      socket.close(GOING_AWAY, "the server stops");
      setTimeout(() => socket.terminate(), CLOSING_TIME).unref();
    }
  }
}

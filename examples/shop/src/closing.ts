import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/** In which the first request on a new connection has come, if one is on its way. */
const FIRST_REQUEST = 500;

/**
 * What closes the server: it takes no new connection then, and the promise is kept when the last
 * one is gone, with what is in flight on it. To be called before the server listens.
 *
 * Node closes the idle connections, but takes one on which nothing was ever asked for one that is
 * about to be used. Caddy, like whatever uses Go's client, holds such connections: it opens one
 * while all others are busy, and one of those is free before it is there. Nothing would come of
 * waiting for them but the end of the time.
 */
export function closerOf(http: Server): () => Promise<void> {
  const unused = new Map<Socket, number>();
  const used = ({ socket }: IncomingMessage) => unused.delete(socket);
  http.on("connection", (socket: Socket) => {
    unused.set(socket, performance.now());
    socket.once("close", () => unused.delete(socket));
  });
  http.on("request", used);
  http.on("upgrade", used);
  return async () => {
    if (!http.listening) return;
    // A connection whose request was in flight becomes idle after `close` has looked for idle ones.
    const sweep = setInterval(() => {
      http.closeIdleConnections();
      const late = performance.now() - FIRST_REQUEST;
      for (const [socket, since] of unused) if (since < late) socket.destroy();
    }, 50);
    await new Promise<void>((resolve) => {
      http.close(() => resolve());
    });
    clearInterval(sweep);
  };
}

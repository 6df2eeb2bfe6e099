/** The web process: `node dist/server.js`. */
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { createApp } from "./app.ts";
import { closerOf } from "./closing.ts";
import { openDatabase } from "./database.ts";
import { EchoSockets } from "./echo.ts";
import { configOrExit, crashLater, onStopSignal, startSlowly } from "./lifecycle.ts";
import { log } from "./log.ts";
import { storeOn } from "./store.ts";

/**
 * Longer than a proxy keeps an idle connection (Caddy: 2 min), so that it is always the proxy
 * that closes one. The other way round, a POST can meet a connection that is just being closed.
 */
const KEEP_ALIVE = 150_000;

const config = configOrExit();
const { database, ping, close } = openDatabase(config.databaseUrl);
const sockets = new EchoSockets(config.version);
let listeningSince = Number.POSITIVE_INFINITY;
let stopping = false;

const app = createApp({
  config,
  store: storeOn(database),
  ping,
  uptime: () => performance.now() - listeningSince,
  stopping: () => stopping,
});
const server = createServer({ keepAliveTimeout: KEEP_ALIVE }, getRequestListener(app.fetch));
const closed = closerOf(server);
server.on("upgrade", (request, socket, head) => sockets.accept(request, socket, head));

onStopSignal(config, async () => {
  stopping = true;
  sockets.close();
  await closed();
  await close();
});

await startSlowly(config);
if (!stopping) {
  server.listen(config.port, () => {
    listeningSince = performance.now();
    const { version, commit, hostName: host, port } = config;
    log("listens", { port, version, commit, host, behaviours: [...config.behaviours] });
    crashLater(config);
  });
}

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { closerOf } from "../src/closing.ts";

/** A server on a port of its own, what closes it, and how to be connected to it. */
async function listening(t: TestContext, listener: RequestListener) {
  const server = createServer({ keepAliveTimeout: 150_000 }, listener);
  t.after(() => server.closeAllConnections());
  const closed = closerOf(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connected = async () => {
    const socket = connect(port, "127.0.0.1");
    const taken = once(server, "connection");
    await once(socket, "connect");
    await taken;
    return socket;
  };
  return { closed, connected };
}

const WAITING = { timeout: 5_000 };

test("a connection on which nothing was ever asked is not waited for", WAITING, async (t) => {
  const { closed, connected } = await listening(t, (_, answer) => answer.end());
  const reserve = await connected();
  await closed();
  await once(reserve.resume(), "close");
});

test("what is in flight is answered to its end, then its connection closed", WAITING, async (t) => {
  let answer: (() => void) | undefined;
  const { closed, connected } = await listening(t, (_, response) => {
    answer = () => response.end("done");
  });
  const socket = await connected();
  let said = "";
  socket.on("data", (data) => (said += data));
  socket.write("GET / HTTP/1.1\r\nHost: shop\r\n\r\n");
  while (!answer) await new Promise((resolve) => setTimeout(resolve, 10));
  const over = closed();
  await new Promise((resolve) => setTimeout(resolve, 700));
  answer();
  await over;
  await once(socket, "close");
  assert.match(said, /^HTTP\/1\.1 200 [^]*done/);
});

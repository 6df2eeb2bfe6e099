// Answers on 3000 with its version; BEHAVIOUR, words separated by commas, says what it does wrong.
import { createServer } from "node:http";
import { createHash } from "node:crypto";

const version = process.env.VERSION;
const words = (process.env.BEHAVIOUR ?? "").split(",");
const does = (word) => words.includes(word);
const after = (word) => Number(words.find((one) => one.startsWith(`${word}=`))?.split("=")[1] ?? -1);

console.log(`version ${version} starts`);
if (does("exit")) {
  console.log("cannot find its settings");
  process.exit(3);
}
// The default of PID 1 would be to ignore it. Ends at once, with whatever is in flight.
process.on("SIGTERM", () => {
  if (!does("deaf")) process.exit(0);
});

let sick = does("sick");
if (after("sick") >= 0) setTimeout(() => (sick = true), after("sick"));
if (after("crash") >= 0) {
  setTimeout(() => {
    console.log("out of luck");
    process.exit(1);
  }, after("crash"));
}

const server = createServer({ keepAliveTimeout: 150_000 }, (request, response) => {
  const url = new URL(request.url, "http://localhost");
  const answer = (status, body, type = "text/plain") => {
    response.writeHead(status, { "Content-Type": type, "X-Version": version });
    response.end(body);
  };
  let length = 0;
  request.on("data", (chunk) => (length += chunk.length));
  request.on("end", () => {
    const proxied = "x-forwarded-for" in request.headers;
    if (url.pathname === "/healthz") {
      const says = proxied && does("proxied-version") ? "v0" : version;
      return answer(sick ? 503 : 200, JSON.stringify({ status: sick ? "sick" : "ok", version: says }));
    }
    const early = process.uptime() * 1000 < after("proxied-late");
    if (proxied && early) return answer(503, "not yet\n");
    if (proxied && does("proxied-500")) return answer(500, "the template is missing\n");
    if (url.pathname === "/" && does("error-500")) return answer(500, "the template is missing\n");
    if (url.pathname === "/echo") return answer(200, JSON.stringify({ length }), "application/json");
    if (url.pathname === "/slow") {
      return setTimeout(() => answer(200, "done\n"), Number(url.searchParams.get("ms")));
    }
    answer(200, `version ${version}\n`);
  });
});

// A websocket that sends each text frame (up to 125 bytes) back.
server.on("upgrade", (request, socket) => {
  const key = request.headers["sec-websocket-key"];
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\nX-Version: ${version}\r\n\r\n`,
  );
  let held = Buffer.alloc(0);
  socket.on("data", (data) => {
    held = Buffer.concat([held, data]);
    while (held.length >= 6 && held.length >= 6 + (held[1] & 127)) {
      const size = held[1] & 127;
      const text = held.subarray(6, 6 + size).map((byte, at) => byte ^ held[2 + (at % 4)]);
      const opcode = held[0] & 15;
      held = held.subarray(6 + size);
      if (opcode === 8) return socket.end(Buffer.concat([Buffer.from([0x88, size]), text]));
      if (opcode <= 2) socket.write(Buffer.concat([Buffer.from([0x80 | opcode, size]), text]));
    }
  });
  socket.on("error", () => socket.destroy());
});

if (!does("silent")) server.listen(3000);
else setInterval(() => {}, 1000);

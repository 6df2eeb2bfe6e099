// A Slack, a Cloudflare and somebody's webhook, as far as Headway speaks to them:
//
//     node server.mjs ADDRESS PORT SECRETS FAULTS
//
// Each request becomes one line of JSON on standard output, whatever is answered. Tokens are compared
// and never written. SECRETS is a file (JSON); a file in the folder FAULTS, with a service's name,
// says how that one misbehaves (deploy/sandbox/outside/faults.py), and is read for each request.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const [address, port, secretsFile, faults] = process.argv.slice(2);
const secrets = JSON.parse(readFileSync(secretsFile, "utf8"));

const CHANNEL_ID = "C0SANDBOX";
const PURGES = ["purge_everything", "tags", "hosts", "prefixes", "files"];

const posted = new Set();
let number = 0;

// An answer: what goes back, and in `line` what is written down beside the request.
const json = (status, body, line) => ({ status, content: JSON.stringify(body), line });
const text = (status, content, line) => ({ status, content, line: { said: content, ...line } });
const busy = () => text(429, "too many requests", {});
const broken = () => text(500, "internal error", {});

const bearer = (request, token) => request.headers.authorization === `Bearer ${token}`;

function slack(path, request, raw, fault) {
  const body = parsed(raw);
  if (path.startsWith("/services/")) {
    const line = { what: "webhook", body: body ?? raw };
    if (fault === "say-no") return text(403, "action_prohibited", line);
    if (path !== `/services/${secrets.slack_webhook}`) return text(404, "no_service", line);
    if (!body?.text) return text(400, body ? "no_text" : "invalid_payload", line);
    return text(200, "ok", line);
  }
  const what = path.replace(/^\/api\//, "");
  const refused = (error) => json(200, { ok: false, error }, { what, said: error, body: body ?? raw });
  if (fault === "say-no") return refused("account_inactive");
  if (!bearer(request, secrets.slack_token)) return refused("invalid_auth");
  if (!body?.channel) return refused("channel_not_found");
  let ts = body.ts;
  if (what === "chat.postMessage") {
    ts = `${Math.floor(Date.now() / 1000)}.${String(++number).padStart(6, "0")}`;
    posted.add(ts);
  } else if (what !== "chat.update") {
    return refused("unknown_method");
  } else if (body.channel !== CHANNEL_ID || !posted.has(ts)) {
    return refused("message_not_found");
  }
  const answer = { ok: true, channel: CHANNEL_ID, ts, message: { text: body.text } };
  return json(200, answer, { what, said: "ok", message: ts, body });
}

function cloudflare(path, request, raw, fault) {
  const body = parsed(raw);
  const zone = /^\/client\/v4\/zones\/(\w+)\/purge_cache$/.exec(path)?.[1];
  const line = { what: zone ? "purge" : path, zone, body: body ?? raw };
  const no = (status, code, message) =>
    json(status, { success: false, errors: [{ code, message }] }, { ...line, said: message });
  if (fault === "say-no") return no(200, 1134, "Unable to purge");
  if (!zone) return no(404, 7003, "Could not route the request");
  if (!bearer(request, secrets.cloudflare_token)) return no(403, 10000, "Authentication error");
  if (!body || !PURGES.some((kind) => body[kind])) return no(400, 1092, "Nothing to purge");
  const answer = { success: true, errors: [], messages: [], result: { id: zone } };
  return json(200, answer, { ...line, said: "ok" });
}

function webhook(path, request, raw, fault) {
  const wanted = createHmac("sha256", secrets.webhook_key).update(raw).digest("hex");
  const headers = Object.entries(request.headers).filter(([name]) => name.startsWith("headway-"));
  const line = {
    what: request.headers["headway-event"] ?? "",
    headers: Object.fromEntries(headers),
    body: parsed(raw) ?? raw,
    raw,
  };
  const signed = request.headers["headway-signature"] === `sha256=${wanted}`;
  if (fault === "say-no") return text(403, "forbidden", line);
  return signed ? text(200, "ok", line) : text(401, "the signature does not fit", line);
}

const SERVICES = { slack, cloudflare, webhook };

function parsed(raw) {
  try {
    const found = JSON.parse(raw);
    return found !== null && typeof found === "object" ? found : null;
  } catch {
    return null;
  }
}

function faultOf(service) {
  try {
    return readFileSync(join(faults, service), "utf8").trim();
  } catch {
    return "";
  }
}

function write(line) {
  process.stdout.write(`${JSON.stringify({ at: Date.now() / 1000, ...line })}\n`);
}

function take(request, response, raw) {
  const [, name, path] = /^\/(\w+)(\/.*)?$/.exec(request.url) ?? [];
  const service = Object.hasOwn(SERVICES, name) ? name : "";
  if (!service) {
    write({ to: "", what: `${request.method} ${request.url}`, said: "not found", status: 404 });
    response.writeHead(404).end("not found");
    return;
  }
  const fault = faultOf(service);
  const good = SERVICES[service](path ?? "/", request, raw, fault);
  const answer = { "answer-429": busy, "answer-500": broken }[fault]?.() ?? good;
  const { status, content } = answer;
  const line = { to: service, ...good.line, ...answer.line, status };
  if (fault === "hang" || fault === "close") {
    write({ ...line, said: fault === "hang" ? "nothing" : "hung up", status: null });
    // Who hangs waits for the other end to give up.
    if (fault === "close") request.socket.resetAndDestroy();
    return;
  }
  write(line);
  const type = content.startsWith("{") ? "application/json" : "text/plain";
  const wait = status === 429 ? { "Retry-After": "1" } : {};
  response.writeHead(status, { "Content-Type": type, ...wait }).end(content);
}

const server = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => take(request, response, Buffer.concat(pieces).toString("utf8")));
});
server.listen(Number(port), address);

// As the first process of a container it has to end itself.
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));

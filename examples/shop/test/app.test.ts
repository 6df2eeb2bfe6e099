import assert from "node:assert/strict";
import { scryptSync } from "node:crypto";
import { test } from "node:test";
import { type AppParts, createApp } from "../src/app.ts";
import { configFrom } from "../src/config.ts";
import type { NewOrder, Store } from "../src/store.ts";

const SALT = Buffer.from("salt");
const HASH = scryptSync("demo", SALT, 32, { N: 16, r: 1, p: 1 }).toString("base64");
const USER = {
  id: 1,
  email: "demo@shop.example",
  passwordHash: `scrypt$16$1$1$${SALT.toString("base64")}$${HASH}`,
};

/** A store in memory: one user, one token, the orders that were placed. */
function fakeStore(placed: NewOrder[] = []): Store {
  const tokens = new Set<string>();
  return {
    userByEmail: async (email) => (email === USER.email ? USER : undefined),
    openSession: async () => {
      tokens.add("token-1");
      return "token-1";
    },
    userBySession: async (token) => (tokens.has(token) ? USER : undefined),
    closeSession: async (token) => void tokens.delete(token),
    placeOrder: async (_user, order) => placed.push(order),
    ordersOf: async () => placed.map((order, id) => ({ ...order, id, placedAt: new Date(0) })),
    lastArticles: async () => placed.map((order) => order.article),
  };
}

function shop(parts: Partial<AppParts> = {}, environment: Record<string, string> = {}) {
  const config = configFrom({
    DATABASE_URL: "postgresql://unused",
    SESSION_KEY: "k".repeat(32),
    SHOP_VERSION: "v7",
    SHOP_COMMIT: "c0ffee",
    ...environment,
  });
  const app = createApp({
    config,
    store: fakeStore(),
    ping: async () => undefined,
    uptime: () => 0,
    stopping: () => false,
    ...parts,
  });
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    app.request(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  return { app, post };
}

async function cookieOf({ post }: ReturnType<typeof shop>): Promise<string> {
  const answer = await post("/api/login", { email: USER.email, password: "demo" });
  assert.equal(answer.status, 200);
  const cookie = answer.headers.get("set-cookie") ?? "";
  assert.match(cookie, /HttpOnly/);
  return cookie.split(";", 1)[0] ?? "";
}

test("the home page says its version, in the page and in the header", async () => {
  const answer = await shop().app.request("/");
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("x-version"), "v7");
  assert.match(await answer.text(), /Version v7/);
});

test("a page that does not exist and one that fails carry the version too", async () => {
  const store = { ...fakeStore(), lastArticles: () => Promise.reject(new Error("no database")) };
  const { app } = shop({ store });
  for (const [path, status] of [
    ["/nothing", 404],
    ["/", 500],
  ] as const) {
    const answer = await app.request(path);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get("x-version"), "v7");
  }
});

test("a login by form leads to the account, and by JSON answers the user", async () => {
  const site = shop();
  const form = await site.app.request("/api/login", {
    method: "POST",
    body: new URLSearchParams({ email: USER.email, password: "demo" }),
    headers: { accept: "text/html" },
  });
  assert.equal(form.status, 303);
  assert.equal(form.headers.get("location"), "/account");
  const json = await site.post("/api/login", { email: USER.email, password: "demo" });
  assert.deepEqual(await json.json(), { user: USER.email });
});

test("a wrong password and an unknown user are refused alike, without a cookie", async () => {
  const { post } = shop();
  for (const body of [{ email: USER.email, password: "x" }, { email: "x", password: "demo" }, {}]) {
    const answer = await post("/api/login", body);
    assert.equal(answer.status, 401);
    assert.equal(answer.headers.get("set-cookie"), null);
  }
});

test("the cookie opens the account; a changed or foreign one does not", async () => {
  const site = shop();
  const cookie = await cookieOf(site);
  const account = await site.app.request("/account", { headers: { cookie } });
  assert.equal(account.status, 200);
  assert.match(await account.text(), /demo@shop\.example/);

  const forged = cookie.replace("token-1", "token-2");
  const foreign = await cookieOf(shop({}, { SESSION_KEY: "another".repeat(5) }));
  for (const bad of [forged, foreign, "shop_session=token-1"]) {
    const answer = await site.app.request("/account", { headers: { cookie: bad } });
    assert.equal(answer.status, 303, bad);
  }
});

test("signing out ends the session, not only the cookie", async () => {
  const site = shop();
  const cookie = await cookieOf(site);
  assert.equal((await site.post("/api/logout", {}, { cookie })).status, 200);
  assert.equal((await site.app.request("/account", { headers: { cookie } })).status, 303);
});

test("an order needs a login, an article of the shop and a sensible quantity", async () => {
  const placed: NewOrder[] = [];
  const site = shop({ store: fakeStore(placed) });
  const order = { article: "Teapot", quantity: 2 };
  assert.equal((await site.post("/api/orders", order)).status, 401);
  const cookie = await cookieOf(site);
  const wrong = [{ article: "Sofa" }, { ...order, quantity: 0 }, { ...order, quantity: 1.5 }];
  for (const body of wrong)
    assert.equal((await site.post("/api/orders", body, { cookie })).status, 422);
  assert.deepEqual(placed, []);
  assert.equal((await site.post("/api/orders", order, { cookie })).status, 201);
  assert.deepEqual(placed, [{ ...order, priceCents: 3450, note: null }]);
});

test("what a customer writes is escaped in the page", async () => {
  const site = shop();
  const cookie = await cookieOf(site);
  await site.post("/api/orders", { article: "Teapot", note: "<script>" }, { cookie });
  const page = await (await site.app.request("/account", { headers: { cookie } })).text();
  assert.match(page, /&lt;script&gt;/);
  assert.doesNotMatch(page, /<script>/);
});

test("healthz tells status, version, commit and database", async () => {
  const answer = await shop().app.request("/healthz");
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), {
    status: "ok",
    version: "v7",
    commit: "c0ffee",
    database: "ok",
  });
});

test("healthz is 503 without the database, and for a version built to be ill", async () => {
  const down = shop({ ping: () => Promise.reject(new Error("down")) });
  const answer = await down.app.request("/healthz");
  assert.equal(answer.status, 503);
  assert.equal(((await answer.json()) as { database: string }).database, "no answer");

  const ill = await shop({}, { SHOP_BEHAVIOUR: "never-healthy" }).app.request("/healthz");
  assert.equal(ill.status, 503);
  assert.equal(((await ill.json()) as { database: string }).database, "ok");
});

test("error-500 breaks the home page and leaves healthz well", async () => {
  const { app } = shop({}, { SHOP_BEHAVIOUR: "error-500" });
  assert.equal((await app.request("/")).status, 500);
  assert.equal((await app.request("/healthz")).status, 200);
});

test("no-login breaks signing in and nothing else", async () => {
  const { app } = shop({}, { SHOP_BEHAVIOUR: "no-login" });
  const login = await app.request("/api/login", { method: "POST", body: "{}" });
  assert.equal(login.status, 500);
  assert.equal((await app.request("/")).status, 200);
  assert.equal((await app.request("/healthz")).status, 200);
});

test("slow waits as long as it is asked to, echo counts bytes", async () => {
  const { app } = shop();
  const start = performance.now();
  const slow = await app.request("/slow?ms=50", { method: "POST" });
  assert.deepEqual(await slow.json(), { ms: 50 });
  assert.ok(performance.now() - start >= 45);
  assert.equal((await app.request("/slow?ms=-1")).status, 400);
  const echo = await app.request("/echo", { method: "POST", body: "fünf" });
  assert.deepEqual(await echo.json(), { length: 5 });
});

test("a body over 1 MiB is refused", async () => {
  const body = "x".repeat(1024 * 1024 + 1);
  const answer = await shop().app.request("/echo", {
    method: "POST",
    body,
    headers: { "content-length": String(body.length) },
  });
  assert.equal(answer.status, 413);
});

test("answers close the connection once the process stops", async () => {
  const answer = await shop({ stopping: () => true }).app.request("/slow?ms=0");
  assert.equal(answer.headers.get("connection"), "close");
});

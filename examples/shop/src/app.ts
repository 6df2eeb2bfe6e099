import { setTimeout as sleep } from "node:timers/promises";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { deleteCookie, getSignedCookie, setSignedCookie } from "hono/cookie";
import { CATALOGUE } from "./catalogue.ts";
import type { Config } from "./config.ts";
import { answersWithin, behavesHealthy } from "./health.ts";
import { log, told } from "./log.ts";
import { accountPage, homePage } from "./pages.ts";
import { isPassword } from "./password.ts";
import { SESSION_DAYS, type Store, type User } from "./store.ts";

export interface AppParts {
  readonly config: Config;
  readonly store: Store;
  /** Asks the database for nothing; rejects when it does not answer. */
  readonly ping: () => Promise<void>;
  /** Milliseconds since the server listened. */
  readonly uptime: () => number;
  /** True from the moment when the process was told to stop. */
  readonly stopping: () => boolean;
}

const COOKIE = "shop_session";
const LARGEST_BODY = 1024 * 1024;
const LONGEST_WAIT = 30_000;
const PING_TIMEOUT = 2_000;

/** The fields of a JSON object or a form; those that are neither text nor number are left out. */
async function fieldsOf(context: Context): Promise<ReadonlyMap<string, string>> {
  const isJson = context.req.header("content-type")?.startsWith("application/json") ?? false;
  const body: unknown = isJson
    ? await context.req.json().catch(() => ({}))
    : await context.req.parseBody();
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(body ?? {})) {
    if (typeof value === "string" || typeof value === "number") fields.set(name, String(value));
  }
  return fields;
}

/** A browser's form wants a page to go to; a program wants the answer. */
function wantsPage(context: Context): boolean {
  return context.req.header("accept")?.includes("text/html") ?? false;
}

export function createApp({ config, store, ping, uptime, stopping }: AppParts): Hono {
  const { behaviours, commit, sessionKey, version } = config;
  const app = new Hono();

  async function signedIn(context: Context): Promise<User | undefined> {
    const token = await getSignedCookie(context, sessionKey, COOKIE);
    return token ? store.userBySession(token) : undefined;
  }

  // What is known before a request is handled is said before: a header that is added to a finished
  // answer, and a stream that is made of a body to look at it, cost half as much as the request itself.
  app.use(async (context, next) => {
    context.header("X-Version", version);
    await next();
    // Whoever still has a connection open must not send its next request into a closing one.
    if (stopping()) context.header("Connection", "close");
  });
  const tooLarge = (context: Context) =>
    context.json({ error: "the body is larger than 1 MiB" }, 413);
  const counted = bodyLimit({ maxSize: LARGEST_BODY, onError: tooLarge });
  app.use(async (context, next) => {
    if (context.req.header("transfer-encoding")) return counted(context, next);
    if (Number(context.req.header("content-length") ?? "0") > LARGEST_BODY) return tooLarge(context);
    return next();
  });

  app.get("/", async (context) => {
    if (behaviours.has("error-500")) return context.text("this version is broken\n", 500);
    return context.html(homePage(version, await store.lastArticles()));
  });

  app.post("/api/login", async (context) => {
    if (behaviours.has("no-login")) return context.json({ error: "no sessions today" }, 500);
    const fields = await fieldsOf(context);
    const user = await store.userByEmail(fields.get("email") ?? "");
    if (!user || !(await isPassword(fields.get("password") ?? "", user.passwordHash))) {
      return context.json({ error: "no such user, or another password" }, 401);
    }
    await setSignedCookie(context, COOKIE, await store.openSession(user), sessionKey, {
      path: "/",
      httpOnly: true,
      sameSite: "Lax",
      secure: context.req.header("x-forwarded-proto") === "https",
      maxAge: SESSION_DAYS * 24 * 3600,
    });
    return wantsPage(context)
      ? context.redirect("/account", 303)
      : context.json({ user: user.email });
  });

  app.post("/api/logout", async (context) => {
    const token = await getSignedCookie(context, sessionKey, COOKIE);
    if (token) await store.closeSession(token);
    deleteCookie(context, COOKIE, { path: "/" });
    return wantsPage(context) ? context.redirect("/", 303) : context.json({});
  });

  app.get("/account", async (context) => {
    const user = await signedIn(context);
    if (!user) return context.redirect("/", 303);
    return context.html(accountPage(version, user, await store.ordersOf(user)));
  });

  app.post("/api/orders", async (context) => {
    const user = await signedIn(context);
    if (!user) return context.json({ error: "sign in first" }, 401);
    const fields = await fieldsOf(context);
    const article = fields.get("article") ?? "";
    const quantity = Number(fields.get("quantity") ?? "1");
    const note = (fields.get("note") ?? "").slice(0, 500) || null;
    const priceCents = CATALOGUE.get(article);
    if (priceCents === undefined) {
      return context.json({ error: `the shop does not sell "${article}"` }, 422);
    }
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > 100) {
      return context.json({ error: "quantity must be a whole number from 1 to 100" }, 422);
    }
    const order = await store.placeOrder(user, { article, quantity, priceCents, note });
    return wantsPage(context) ? context.redirect("/account", 303) : context.json({ order }, 201);
  });

  app.get("/healthz", async (context) => {
    const database = await answersWithin(PING_TIMEOUT, ping);
    const healthy = database && behavesHealthy(config, uptime());
    return context.json(
      {
        status: healthy ? "ok" : "unhealthy",
        version,
        commit,
        database: database ? "ok" : "no answer",
      },
      healthy ? 200 : 503,
    );
  });

  app.on(["GET", "POST"], "/slow", async (context) => {
    const asked = Number(context.req.query("ms") ?? "1000");
    if (!(asked >= 0)) return context.json({ error: "ms must be a number, not negative" }, 400);
    const ms = Math.min(asked, LONGEST_WAIT);
    await sleep(ms);
    return context.json({ ms });
  });

  app.post("/echo", async (context) => {
    const body = await context.req.arrayBuffer();
    return context.json({ length: body.byteLength });
  });

  app.notFound((context) => context.json({ error: "not found" }, 404));
  app.onError((error, context) => {
    log("a request failed", { path: context.req.path, error: told(error) });
    return context.json({ error: "internal error" }, 500);
  });
  return app;
}

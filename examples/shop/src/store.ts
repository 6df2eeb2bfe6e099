import { createHash, randomBytes } from "node:crypto";
import { and, desc, eq, gt, sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { jobs, orders, sessions, users } from "./schema.ts";

export interface User {
  readonly id: number;
  readonly email: string;
  readonly passwordHash: string;
}

export interface NewOrder {
  readonly article: string;
  readonly quantity: number;
  readonly priceCents: number;
  readonly note: string | null;
}

export interface Order extends NewOrder {
  readonly id: number;
  readonly placedAt: Date;
}

/** What the web pages ask of the database. Tests put a fake in its place. */
export interface Store {
  userByEmail(email: string): Promise<User | undefined>;
  /** Starts a session and gives the token for the cookie. */
  openSession(user: User): Promise<string>;
  userBySession(token: string): Promise<User | undefined>;
  closeSession(token: string): Promise<void>;
  /** Writes the order together with the job of packing it; gives the order's number. */
  placeOrder(user: User, order: NewOrder): Promise<number>;
  ordersOf(user: User): Promise<Order[]>;
  /** The articles ordered last, the newest first. */
  lastArticles(): Promise<string[]>;
}

export const SESSION_DAYS = 30;

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

export function storeOn(database: Database): Store {
  const user = { id: users.id, email: users.email, passwordHash: users.passwordHash };
  return {
    async userByEmail(email) {
      const rows = await database.select(user).from(users).where(eq(users.email, email));
      return rows[0];
    },
    async openSession({ id }) {
      const token = randomBytes(32).toString("base64url");
      await database.insert(sessions).values({
        tokenHash: hashOf(token),
        userId: id,
        expiresAt: sql`now() + make_interval(days => ${SESSION_DAYS})`,
      });
      return token;
    },
    async userBySession(token) {
      const rows = await database
        .select(user)
        .from(sessions)
        .innerJoin(users, eq(users.id, sessions.userId))
        .where(and(eq(sessions.tokenHash, hashOf(token)), gt(sessions.expiresAt, sql`now()`)));
      return rows[0];
    },
    async closeSession(token) {
      await database.delete(sessions).where(eq(sessions.tokenHash, hashOf(token)));
    },
    placeOrder({ id }, order) {
      return database.transaction(async (transaction) => {
        const [placed] = await transaction
          .insert(orders)
          .values({ userId: id, ...order })
          .returning({ id: orders.id });
        if (placed === undefined) throw new Error("the order's row was not returned");
        await transaction.insert(jobs).values({ orderId: placed.id });
        return placed.id;
      });
    },
    ordersOf({ id }) {
      return database
        .select({
          id: orders.id,
          article: orders.article,
          quantity: orders.quantity,
          priceCents: orders.priceCents,
          note: orders.note,
          placedAt: orders.placedAt,
        })
        .from(orders)
        .where(eq(orders.userId, id))
        .orderBy(desc(orders.id))
        .limit(50);
    },
    async lastArticles() {
      const rows = await database
        .select({ article: orders.article })
        .from(orders)
        .orderBy(desc(orders.id))
        .limit(3);
      return rows.map((row) => row.article);
    },
  };
}

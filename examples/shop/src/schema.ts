import { sql } from "drizzle-orm";
import { index, integer, pgEnum, pgTable, text, timestamp } from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true });

export const users = pgTable("users", {
  id: integer("id").primaryKey().generatedAlwaysAsIdentity(),
  email: text("email").notNull().unique(),
  passwordHash: text("password_hash").notNull(),
  createdAt: moment("created_at").notNull().defaultNow(),
});

/** A signed-in browser. The cookie holds a token; the row holds only the token's SHA-256. */
export const sessions = pgTable(
  "sessions",
  {
    tokenHash: text("token_hash").primaryKey(),
    userId: integer("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    expiresAt: moment("expires_at").notNull(),
  },
  (table) => [index("sessions_user_id_idx").on(table.userId)],
);

export const orders = pgTable(
  "orders",
  {
    id: integer("id").primaryKey().generatedAlwaysAsIdentity(),
    userId: integer("user_id")
      .notNull()
      .references(() => users.id),
    article: text("article").notNull(),
    quantity: integer("quantity").notNull(),
    priceCents: integer("price_cents").notNull(),
    placedAt: moment("placed_at").notNull().defaultNow(),
    /** What the customer wrote beside the order, if anything. */
    note: text("note"),
  },
  (table) => [index("orders_user_id_idx").on(table.userId)],
);

export const jobState = pgEnum("job_state", ["waiting", "done"]);

/** Work that a worker does after the answer was given: here, packing an order. */
export const jobs = pgTable(
  "jobs",
  {
    id: integer("id").primaryKey().generatedAlwaysAsIdentity(),
    orderId: integer("order_id")
      .notNull()
      .references(() => orders.id, { onDelete: "cascade" }),
    state: jobState("state").notNull().default("waiting"),
    createdAt: moment("created_at").notNull().defaultNow(),
    doneAt: moment("done_at"),
    doneBy: text("done_by"),
  },
  (table) => [
    // The worker asks for the oldest waiting job, and most rows are done.
    index("jobs_waiting_idx")
      .on(table.id)
      .where(sql`${table.state} = 'waiting'`),
  ],
);

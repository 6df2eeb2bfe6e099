import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { log, told } from "./log.ts";

/**
 * Connections for each process, and one more for its health check. While a deploy rolls, two
 * versions run on every host, so the fleet asks for 2 x hosts x this; PostgreSQL allows 100 by
 * default.
 */
const CONNECTIONS = 5;

function poolOf(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: 15_000,
    query_timeout: 20_000,
    application_name: "shop",
  });
  // Without a listener, a server that closes an idle connection would end this process.
  pool.on("error", (error) => log("an idle database connection broke", { error: told(error) }));
  return pool;
}

/** `ping` rejects when the database does not answer. */
export function openDatabase(url: string) {
  const pool = poolOf(url, CONNECTIONS);
  // A health check that queues behind the customers calls a busy process a sick one.
  const health = poolOf(url, 1);
  return {
    database: drizzle(pool),
    ping: async (): Promise<void> => {
      await health.query("select 1");
    },
    close: async (): Promise<void> => {
      await Promise.all([pool.end(), health.end()]);
    },
  };
}

export type Database = ReturnType<typeof openDatabase>["database"];

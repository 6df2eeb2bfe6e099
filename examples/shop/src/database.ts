import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { log, told } from "./log.ts";

/**
 * Connections for each process. While a deploy rolls, two versions run on every host, so the
 * fleet asks for 2 x hosts x this; PostgreSQL allows 100 by default.
 */
const CONNECTIONS = 5;

export function openDatabase(url: string) {
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS,
    connectionTimeoutMillis: 15_000,
    query_timeout: 20_000,
    application_name: "shop",
  });
  // Without a listener, a server that closes an idle connection would end this process.
  pool.on("error", (error) => log("an idle database connection broke", { error: told(error) }));
  return { database: drizzle(pool), close: () => pool.end() };
}

export type Database = ReturnType<typeof openDatabase>["database"];

import { DrizzleQueryError } from "drizzle-orm";

/** One JSON object a line on standard output, the form that `docker logs` collectors expect. */
export function log(event: string, details: Readonly<Record<string, unknown>> = {}): void {
  console.log(JSON.stringify({ time: new Date().toISOString(), event, ...details }));
}

/**
 * An error in one line, with what caused it. Of a failed query only the cause is told, which is
 * PostgreSQL's own words: drizzle's message repeats the parameters, which a log must not hold.
 */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof DrizzleQueryError && error.cause) return told(error.cause);
  // Where several addresses refuse, Node.js gives one error without a message.
  const own = error.message || ("code" in error ? String(error.code) : error.name);
  return error.cause === undefined ? own : `${own}: ${told(error.cause)}`;
}

import { setTimeout as sleep } from "node:timers/promises";
import { asc, eq, sql } from "drizzle-orm";
import type { Database } from "./database.ts";
import { jobs, orders } from "./schema.ts";

/** Packing stands for real work: milliseconds for each piece of an order. */
const PACKING_TIME = 50;

export interface DoneJob {
  readonly id: number;
  readonly orderId: number;
}

/**
 * Takes the oldest waiting job, does it and marks it as done by `worker`; nothing when no job
 * waits. All in one transaction: the row stays locked meanwhile, so that no other worker takes
 * it, and a worker that dies leaves it waiting.
 */
export function doNextJob(database: Database, worker: string): Promise<DoneJob | undefined> {
  return database.transaction(async (transaction) => {
    const [job] = await transaction
      .select({ id: jobs.id, orderId: jobs.orderId, quantity: orders.quantity })
      .from(jobs)
      .innerJoin(orders, eq(orders.id, jobs.orderId))
      .where(eq(jobs.state, "waiting"))
      .orderBy(asc(jobs.id))
      .limit(1)
      .for("update", { of: jobs, skipLocked: true });
    if (job === undefined) return undefined;
    await sleep(job.quantity * PACKING_TIME);
    await transaction
      .update(jobs)
      .set({ state: "done", doneAt: sql`clock_timestamp()`, doneBy: worker })
      .where(eq(jobs.id, job.id));
    return { id: job.id, orderId: job.orderId };
  });
}

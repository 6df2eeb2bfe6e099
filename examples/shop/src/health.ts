import type { Config } from "./config.ts";
import type { Behaviour } from "./behaviour.ts";

/**
 * Whether a process that is `uptime` milliseconds past its start wants to be called healthy, as
 * far as its behaviours go.
 */
export function behavesHealthy(
  { behaviours, late }: Pick<Config, "late"> & { behaviours: ReadonlySet<Behaviour> },
  uptime: number,
): boolean {
  if (behaviours.has("never-healthy")) return false;
  return !(behaviours.has("late-unhealthy") && uptime >= late);
}

/**
 * Whether `ping` succeeds within `milliseconds`. The probes' own time-out is 3 s, and an answer
 * that says what is wrong is worth more than none, so callers stay below that.
 */
export async function answersWithin(
  milliseconds: number,
  ping: () => Promise<void>,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const answer = ping().then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([answer, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

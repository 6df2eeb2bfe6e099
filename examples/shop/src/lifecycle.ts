import { setTimeout as sleep } from "node:timers/promises";
import { type Config, configFrom } from "./config.ts";
import { log, told } from "./log.ts";

/** Below the 10 s of `stop_grace_period`, after which Docker sends SIGKILL. */
const STOPPING_TIME = 9_000;

/**
 * Calls `stop` at the first SIGTERM or SIGINT and exits with 0 when it is done, or when its time
 * is up. Also needed for a process that wants no more than the default: as PID 1 of a container
 * it would get none, and ignore SIGTERM.
 */
export function onStopSignal({ behaviours }: Config, stop: () => Promise<void>): void {
  let stopping = false;
  const stopOnce = async (signal: NodeJS.Signals): Promise<void> => {
    if (behaviours.has("deaf")) {
      log("ignores a signal, as it was built to", { signal });
      return;
    }
    if (behaviours.has("abrupt")) process.exit(1);
    if (stopping) return;
    stopping = true;
    log("stops", { signal });
    const outOfTime = sleep(STOPPING_TIME, undefined, { ref: false }).then(() =>
      log("stops with work unfinished: its time is up"),
    );
    await Promise.race([stop(), outOfTime]).catch((error: unknown) =>
      log("stopping failed", { error: told(error) }),
    );
    process.exit(0);
  };
  process.on("SIGTERM", stopOnce);
  process.on("SIGINT", stopOnce);
}

/** Waits first if this version was built to start slowly. */
export async function startSlowly({ behaviours, slowStart }: Config): Promise<void> {
  if (behaviours.has("slow-start")) await sleep(slowStart);
}

/** To be called when the process is ready: ends it later if it was built to crash. */
export function crashLater({ behaviours, late }: Config): void {
  if (!behaviours.has("crash-loop")) return;
  setTimeout(() => {
    log("crashes, as it was built to");
    process.exit(1);
  }, late);
}

/** The configuration, or the end of the process with what is wrong in it. */
export function configOrExit(): Config {
  try {
    return configFrom(process.env);
  } catch (error) {
    console.error(`shop does not start:\n${told(error)}`);
    process.exit(78); // EX_CONFIG of sysexits.h
  }
}

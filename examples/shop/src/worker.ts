/** The worker process: `node dist/worker.js`. Takes jobs from the table until it is told to stop. */
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { openDatabase } from "./database.ts";
import { behavesHealthy } from "./health.ts";
import { beat, stopBeating } from "./heartbeat.ts";
import { doNextJob } from "./jobs.ts";
import { configOrExit, crashLater, onStopSignal, startSlowly } from "./lifecycle.ts";
import { log, told } from "./log.ts";

/** Milliseconds between two looks at an empty table. */
const POLL = 500;

const config = configOrExit();
const { database, close } = openDatabase(config.databaseUrl);
const worker = config.hostName || hostname();
const stop = new AbortController();

/** What went wrong at the last look, so that a long failure is told once and not at every look. */
let lastFault = "";

/** One look at the table. True when there was a job, and so may be another. */
async function step(): Promise<boolean> {
  try {
    const job = await doNextJob(database, worker);
    if (job !== undefined) log("job done", { ...job, worker });
    lastFault = "";
    if (behavesHealthy(config, performance.now() - readySince)) beat();
    else stopBeating();
    return job !== undefined;
  } catch (error) {
    const fault = told(error);
    if (fault !== lastFault) log("a look for a job failed", { error: fault });
    lastFault = fault;
    return false;
  }
}

async function run(): Promise<void> {
  while (!stop.signal.aborted) {
    if (!(await step()))
      await sleep(POLL, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}

// A restarted container keeps its files: the heartbeat of the last run must not count.
stopBeating();
let working = Promise.resolve();
let readySince = Number.POSITIVE_INFINITY;
onStopSignal(config, async () => {
  stop.abort();
  await working;
  await close();
});

await startSlowly(config);
readySince = performance.now();
const { version, commit, hostName: host } = config;
log("works", { version, commit, host, behaviours: [...config.behaviours] });
crashLater(config);
working = run();

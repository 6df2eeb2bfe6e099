import { rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The file by which a worker, which has no port, shows that it is alive. */
const FILE = join(tmpdir(), "shop-worker.heartbeat");

/** Longer than the longest job (100 pieces, 5 s) with time to spare on a busy machine. */
const STALE = 15_000;

export function beat(): void {
  const now = new Date();
  try {
    utimesSync(FILE, now, now);
  } catch {
    writeFileSync(FILE, "");
  }
}

export function stopBeating(): void {
  rmSync(FILE, { force: true });
}

export function isBeating(now = Date.now()): boolean {
  const stat = statSync(FILE, { throwIfNoEntry: false });
  return stat !== undefined && now - stat.mtimeMs < STALE;
}

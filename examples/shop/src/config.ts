import { type Behaviour, behavioursOn } from "./behaviour.ts";

/** Everything that the environment decides, read once at start. Times are in milliseconds. */
export interface Config {
  readonly version: string;
  readonly commit: string;
  readonly hostName: string;
  readonly port: number;
  readonly databaseUrl: string;
  readonly sessionKey: string;
  readonly behaviours: ReadonlySet<Behaviour>;
  readonly slowStart: number;
  readonly late: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** NIST SP 800-107 asks of an HMAC key at least half the hash's length: 16 bytes for SHA-256. */
const SHORTEST_KEY = 16;

/**
 * @throws Error with one line for each fault, so that all are mended in one go. It never holds a
 * value of a secret.
 */
export function configFrom(environment: Environment): Config {
  const faults: string[] = [];

  const required = (name: string): string => {
    const value = environment[name] ?? "";
    if (value === "") faults.push(`${name} is not set`);
    return value;
  };
  const number = (name: string, fallback: number): number => {
    const text = environment[name] ?? "";
    if (text === "") return fallback;
    const value = Number(text);
    if (Number.isFinite(value) && value >= 0) return value;
    faults.push(`${name} must be a number that is not negative, not "${text}"`);
    return fallback;
  };
  const behaviours = (hostName: string): ReadonlySet<Behaviour> => {
    try {
      return behavioursOn(environment["SHOP_BEHAVIOUR"] ?? "", hostName);
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
      return new Set();
    }
  };

  const hostName = environment["HOST_NAME"] ?? "";
  const config: Config = {
    version: environment["SHOP_VERSION"] || "dev",
    commit: environment["SHOP_COMMIT"] || "unknown",
    hostName,
    port: number("PORT", 3000),
    databaseUrl: required("DATABASE_URL"),
    sessionKey: required("SESSION_KEY"),
    behaviours: behaviours(hostName),
    slowStart: number("SHOP_SLOW_START", 6) * 1000,
    late: number("SHOP_LATE", 3) * 1000,
  };
  if (config.sessionKey !== "" && Buffer.byteLength(config.sessionKey) < SHORTEST_KEY) {
    faults.push(`SESSION_KEY must have at least ${SHORTEST_KEY} bytes`);
  }
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return config;
}

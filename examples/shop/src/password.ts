import { scrypt, timingSafeEqual } from "node:crypto";

/** Enough for a parameter set to be computed, and a bound on what a stored hash may ask for. */
const MEMORY = 64 * 1024 * 1024;

function derive(password: string, salt: Buffer, length: number, n: number, r: number, p: number) {
  return new Promise<Buffer>((resolve, reject) => {
    scrypt(password, salt, length, { N: n, r, p, maxmem: MEMORY }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

/**
 * Whether `password` is the one behind `stored`, of the form `scrypt$N$r$p$salt$hash` with salt
 * and hash in base64. Takes its time on purpose (about 50 ms), off the event loop.
 *
 * @throws Error when `stored` is not of that form.
 */
export async function isPassword(password: string, stored: string): Promise<boolean> {
  const [scheme, n, r, p, salt, hash, ...rest] = stored.split("$");
  if (scheme !== "scrypt" || !n || !r || !p || !salt || !hash || rest.length > 0) {
    throw new Error("a stored password hash is not of the form scrypt$N$r$p$salt$hash");
  }
  const wanted = Buffer.from(hash, "base64");
  const given = await derive(
    password,
    Buffer.from(salt, "base64"),
    wanted.length,
    Number(n),
    Number(r),
    Number(p),
  );
  return timingSafeEqual(given, wanted);
}

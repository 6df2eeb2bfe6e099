import assert from "node:assert/strict";
import { test } from "node:test";
import { configFrom } from "../src/config.ts";

const GOOD = { DATABASE_URL: "postgresql://shop@database/shop", SESSION_KEY: "k".repeat(32) };

test("two variables are enough", () => {
  const config = configFrom(GOOD);
  assert.equal(config.version, "dev");
  assert.equal(config.port, 3000);
  assert.equal(config.slowStart, 6000);
  assert.equal(config.late, 3000);
});

test("all faults are told at once, without a secret's value", () => {
  const faulty = { SESSION_KEY: "short-secret", SHOP_BEHAVIOUR: "deef", SHOP_LATE: "soon" };
  assert.throws(
    () => configFrom(faulty),
    ({ message }: Error) => {
      assert.match(message, /DATABASE_URL is not set/);
      assert.match(message, /SESSION_KEY must have at least 16 bytes/);
      assert.match(message, /unknown word "deef"/);
      assert.match(message, /SHOP_LATE must be a number/);
      assert.doesNotMatch(message, /short-secret/);
      return true;
    },
  );
});

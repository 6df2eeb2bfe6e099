import assert from "node:assert/strict";
import { test } from "node:test";
import { DrizzleQueryError } from "drizzle-orm";
import { told } from "../src/log.ts";

test("a failed query is told in PostgreSQL's words, without its parameters", () => {
  const cause = new Error('relation "jobs" does not exist');
  const error = new DrizzleQueryError("select $1", ["a secret"], cause);
  assert.equal(told(error), 'relation "jobs" does not exist');
});

test("an error without a message is told by its code, another with its cause", () => {
  const refused = Object.assign(new AggregateError([]), { code: "ECONNREFUSED" });
  assert.equal(told(refused), "ECONNREFUSED");
  assert.equal(told(new Error("no answer", { cause: refused })), "no answer: ECONNREFUSED");
});

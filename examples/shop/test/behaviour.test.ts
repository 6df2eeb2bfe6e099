import assert from "node:assert/strict";
import { test } from "node:test";
import { behavioursOn } from "../src/behaviour.ts";
import { behavesHealthy } from "../src/health.ts";

test("no list means no behaviour", () => {
  assert.deepEqual(behavioursOn("", "web-1"), new Set());
});

test("a list holds each of its words", () => {
  assert.deepEqual(behavioursOn("slow-start, deaf", "web-1"), new Set(["slow-start", "deaf"]));
});

test("bad-on= confines the whole list to the hosts named", () => {
  const list = "error-500,abrupt,bad-on=web-2,bad-on=web-3";
  assert.deepEqual(behavioursOn(list, "web-2"), new Set(["error-500", "abrupt"]));
  assert.deepEqual(behavioursOn(list, "web-3"), new Set(["error-500", "abrupt"]));
  assert.deepEqual(behavioursOn(list, "web-1"), new Set());
  assert.deepEqual(behavioursOn(list, ""), new Set());
});

test("a fault in the list is refused on every host, with the word in the message", () => {
  assert.throws(() => behavioursOn("slow-strat,bad-on=web-2", "web-1"), /"slow-strat".*slow-start/);
  assert.throws(() => behavioursOn("deaf,bad-on=", "web-1"), /name of a host/);
  assert.throws(() => behavioursOn("bad-on=web-1", "web-1"), /needs a behaviour/);
  assert.throws(() => behavioursOn("deaf,abrupt", "web-1"), /contradict/);
});

test("health follows the behaviours and the time", () => {
  const late = 3000;
  const healthy = (list: string, uptime: number) =>
    behavesHealthy({ behaviours: behavioursOn(list, ""), late }, uptime);
  assert.equal(healthy("", 60_000), true);
  assert.equal(healthy("never-healthy", 0), false);
  assert.equal(healthy("late-unhealthy", 2999), true);
  assert.equal(healthy("late-unhealthy", 3000), false);
  assert.equal(healthy("error-500", 60_000), true);
});

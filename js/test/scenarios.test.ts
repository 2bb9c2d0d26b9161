// The client core against ../tests/scenarios/, which the Python core is held to as well.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { camel, Player, type Plain } from "./player.js";

const FOLDER = new URL("../../tests/scenarios/", import.meta.url);

const load = (name: string): Plain => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"));
const DEFAULTS = load("defaults.json");

/** `got`, with of its objects only the keys that are expected of them. */
function asExpected(expected: any, got: any): unknown {
  if (typeof got === "number") return Math.round(got * 1e6) / 1e6;
  if (typeof expected !== "object" || expected === null || typeof got !== "object" || got === null) return got;
  return Object.fromEntries(Object.keys(expected).map((key) => [key, asExpected(expected[key], got[key])]));
}

/** Actions are compared whole, but for a hello, which also states limits. */
function compared(expected: any[], got: any[]): unknown[] {
  return got.map((action, i) =>
    action[0] === "hello" ? [...action.slice(0, 3), asExpected(expected[i]?.[3], action[3])] : action,
  );
}

const names = readdirSync(FOLDER).filter((name) => name.endsWith(".json") && name !== "defaults.json");
assert.ok(names.length >= 20);

for (const name of names.sort()) {
  test(`scenario ${name.slice(0, -5)}`, () => {
    const player = new Player(load(name), DEFAULTS);
    for (const [i, step] of player.steps.entries()) {
      const where = `step ${i + 1} ${JSON.stringify(step)}`;
      const expected = step.then ?? [];
      assert.deepEqual(compared(expected, player.play(step)), expected, where);
      const wanted = camel(step.state ?? {});
      assert.deepEqual(asExpected(wanted, player.core.state), wanted, where);
      if ("next_timer" in step) assert.equal(asExpected(null, player.core.nextTimer()), step.next_timer, where);
    }
  });
}

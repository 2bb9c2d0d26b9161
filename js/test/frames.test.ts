import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError } from "../src/errors.js";
import { readRow, writeRow } from "../src/frames.js";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test("a row is what the server writes", () => {
  assert.deepEqual([...writeRow(["hi"])], [0x80, 0, 0, 2, 0x68, 0x69]);
  assert.deepEqual([...writeRow([bytes(1, 2, 3), ""])], [0, 0, 0, 3, 1, 2, 3, 0x80, 0, 0, 0]);
  assert.equal(writeRow([]).length, 0);
});

test("what is written is read", () => {
  const frames = ["先手", bytes(), "", bytes(0, 255), "\uFEFFx", "x".repeat(70_000)];
  assert.deepEqual(readRow(writeRow(frames)), frames);
});

test("a part of a larger buffer is read", () => {
  const row = writeRow(["hi", bytes(7)]);
  const larger = new Uint8Array(row.length + 8).fill(255);
  larger.set(row, 5);
  assert.deepEqual(readRow(larger.subarray(5, 5 + row.length)), ["hi", bytes(7)]);
});

for (const [what, body] of [
  ["half a length", bytes(0x80, 0, 0)],
  ["a frame cut off", writeRow(["hello"]).subarray(0, -1)],
  ["something after the last frame", bytes(...writeRow(["hello"]), 0)],
  ["a length beyond all bounds", bytes(0xff, 0xff, 0xff, 0xff, 1)],
  ["text that is not UTF-8", bytes(0x80, 0, 0, 1, 0xff)],
] as const) {
  test(`${what} is no row`, () => {
    assert.throws(() => readRow(body), ProtocolError);
  });
}

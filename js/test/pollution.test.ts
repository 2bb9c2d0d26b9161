// Keys that a peer makes up: no packer lets them reach a prototype.

import assert from "node:assert/strict";
import { test } from "node:test";
import { auto, json, type Packer, type Wire } from "../src/index.js";
import { msgpack } from "../src/packers/msgpack.js";

const HOSTILE = [
  '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}, "hasOwnProperty": 1}',
  '[{"a": {"__proto__": {"polluted": true}}}, {"__proto__": null}]',
];
const TRANSIT = [
  '{"__proto__": "~:polluted", "~:k": 1}',
  '{"~#cmap": [{"__proto__": {"polluted": true}}, 1]}',
  '{"~#__proto__": {"polluted": true}}',
  '["~#constructor", ["prototype"]]',
];
// {"__proto__": {"polluted": true}} and a map with a key of another kind beside it
const PACKED = ["81a95f5f70726f746f5f5f81a8706f6c6c75746564c3", "8201a161a95f5f70726f746f5f5f81a8706f6c6c75746564c3"];

function refusesPollution(packer: Packer, wire: Wire): void {
  const read = packer.unpack(wire) as any;
  assert.equal(({} as any).polluted, undefined);
  assert.equal(([] as any).polluted, undefined);
  assert.equal(Object.getPrototypeOf({}), Object.prototype);
  for (const value of [read, ...(Array.isArray(read) ? read : [])]) {
    if (typeof value === "object" && value?.constructor === Object) assert.equal(value.polluted, undefined);
    if (typeof value === "object" && value !== null) assert.notEqual(Object.getPrototypeOf(value)?.polluted, true);
  }
}

test("json and auto", () => {
  for (const text of HOSTILE) for (const packer of [json, auto(), auto({ msgpack })]) refusesPollution(packer, text);
});

test("Transit", () => {
  for (const text of TRANSIT) for (const packer of [auto(), auto({ msgpack })]) refusesPollution(packer, text);
});

test("MessagePack", () => {
  for (const hex of PACKED) {
    for (const packer of [msgpack, auto({ msgpack })]) refusesPollution(packer, new Uint8Array(Buffer.from(hex, "hex")));
  }
});

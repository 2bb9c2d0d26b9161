// Unpacks and packs again what tests in other languages write: node packers.mjs
//
// Lines of JSON on stdin, {"packer", "text"?, "hex"?, "show"?}, the packer being one of those below, each answered on
// stdout with the same value as packed here, {"text"} or {"hex"}, or with the code that makes the value, {"shown"}, or
// with {"error"}.

import { createInterface } from "node:readline";
import { auto, json, TaggedValue } from "../dist/index.js";
import { cbor } from "../dist/packers/cbor.js";
import { msgpack } from "../dist/packers/msgpack.js";
import { transit, transitJson } from "../dist/packers/transit.js";

const packers = { auto: auto(), "auto+msgpack": auto({ msgpack }), msgpack, cbor, json, transit, "transit-json": transitJson };

function answer({ packer, text, hex, show }) {
  try {
    const value = packers[packer].unpack(text ?? new Uint8Array(Buffer.from(hex, "hex")));
    if (show) return { shown: shown(value) };
    const wire = packers[packer].pack(value);
    return typeof wire === "string" ? { text: wire } : { hex: Buffer.from(wire).toString("hex") };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

function shown(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  if (value.constructor === TaggedValue) return `new TaggedValue(${shown(value.tag)}, ${shown(value.rep)})`;
  const { name } = value.constructor;
  if (value instanceof TaggedValue) return `new ${name}(${shown(value.rep)})`;
  if (value instanceof Date) return `new Date("${value.toISOString()}")`;
  if (Symbol.iterator in value) return `new ${name}(${shown([...value])})`;
  const fields = Object.entries(value).map(([key, inner]) => `${/^\w+$/.test(key) ? key : shown(key)}: ${shown(inner)}`);
  return fields.length ? `{ ${fields.join(", ")} }` : "{}";
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`);
}

// Reads what Sente's packers of Python wrote with libraries that others use, and writes it again: transit-js as
// ClojureScript does, in its JSON form with codes; and MessagePack by @msgpack/msgpack, shown as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../js/package.json", import.meta.url));
const transit = require("transit-js");
const { decode } = require("@msgpack/msgpack");

const task = JSON.parse(readFileSync(0, "utf8"));
const reader = transit.reader("json");
const writer = transit.writer("json");

const shown = (value) => {
  if (Array.isArray(value)) return value.map(shown);
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (typeof value === "bigint") return { big: String(value) };
  return value !== null && typeof value === "object" ? { ext: value.type, hex: Buffer.from(value.data).toString("hex") } : value;
};

console.log(
  JSON.stringify({
    transit: task.transit.map((text) => writer.write(reader.read(text))),
    msgpack: task.msgpack.map((hex) => shown(decode(Buffer.from(hex, "hex"), { useBigInt64: true }))),
  }),
);

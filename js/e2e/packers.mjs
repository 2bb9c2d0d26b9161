// Unpacks and packs again what tests in other languages write: node packers.mjs
//
// Lines of JSON on stdin, {"packer": "auto" | "auto+msgpack" | "msgpack" | "json", "text"?, "hex"?}, each answered on
// stdout with the same value as packed here, {"text"} or {"hex"}, or with {"error"}.

import { createInterface } from "node:readline";
import { auto, json } from "../dist/index.js";
import { msgpack } from "../dist/packers/msgpack.js";

const packers = { auto: auto(), "auto+msgpack": auto({ msgpack }), msgpack, json };

function again({ packer, text, hex }) {
  try {
    const wire = packers[packer].pack(packers[packer].unpack(text ?? new Uint8Array(Buffer.from(hex, "hex"))));
    return typeof wire === "string" ? { text: wire } : { hex: Buffer.from(wire).toString("hex") };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(again(JSON.parse(line)))}\n`);
}

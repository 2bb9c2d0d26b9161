// Measures packers in Node as sente/bench/timing.py does in Python: in turns, in short rounds, with the median.
// Usage: node node.mjs CORPUS.json ROUNDS SAMPLE_SECONDS; writes what it found to stdout, as JSON.

import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { isDeepStrictEqual } from "node:util";
import { gzipSync } from "node:zlib";

/** Text that stands for a value JavaScript has no type for; what a library needs to keep it, each peer says. */
class Text {
  constructor(text) {
    this.text = text;
  }
  toJSON() {
    return this.text;
  }
}
class Uuid extends Text {}
class Decimal extends Text {}

/** Values with types, as benchmarks/node.py writes them, of these classes. */
const reviver = (Uuid, Decimal) => (_, value) => {
  if (value === null || typeof value !== "object" || !("$type" in value)) return value;
  switch (value.$type) {
    case "uuid":
      return new Uuid(value.text);
    case "decimal":
      return new Decimal(value.text);
    case "datetime":
      return new Date(value.text);
    case "bytes":
      return new Uint8Array(Buffer.from(value.text, "base64"));
    case "integer":
      return BigInt(value.text);
    case "set":
      return new Set(value.items);
    default:
      throw new Error(`no type ${value.$type}`);
  }
};

/** The packers of this project, with its own classes; they are built by `make bench`. */
const ours = (name) => async () => {
  const { auto, Decimal, json, UUID } = await import("../js/dist/index.js");
  const { cbor } = await import("../js/dist/packers/cbor.js");
  const { msgpack } = await import("../js/dist/packers/msgpack.js");
  const packer = { json, auto: auto(), "auto+msgpack": auto({ msgpack }), msgpack, cbor }[name];
  const { version } = JSON.parse(readFileSync(new URL("../js/package.json", import.meta.url), "utf8"));
  return {
    name: `sente-client ${name}`,
    version: `sente-client ${version}`,
    ours: true,
    pack: (value) => packer.pack(value),
    unpack: (wire) => packer.unpack(wire),
    revive: reviver(UUID, Decimal),
  };
};

const json = async () => ({
  name: "JSON (Node)",
  version: `Node ${process.versions.node}`,
  pack: JSON.stringify,
  packLossy: (value) => JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner)),
  unpack: JSON.parse,
});

const msgpack = async () => {
  const { decode, encode, ExtensionCodec } = await import("@msgpack/msgpack");
  const extensionCodec = new ExtensionCodec();
  const text = (type, Class) =>
    extensionCodec.register({
      type,
      encode: (value) => (value instanceof Class ? Buffer.from(value.text) : null),
      decode: (data) => new Class(Buffer.from(data).toString()),
    });
  text(2, Uuid);
  text(3, Decimal);
  extensionCodec.register({
    type: 5,
    encode: (value) => (value instanceof Set ? encode([...value]) : null),
    decode: (data) => new Set(decode(data)),
  });
  const options = { extensionCodec, useBigInt64: true };
  return {
    name: "@msgpack/msgpack",
    version: versionOf("@msgpack/msgpack"),
    pack: (value) => encode(value, options),
    unpack: (wire) => decode(wire, options),
  };
};

const msgpackr = async () => {
  const { addExtension, Packr } = await import("msgpackr");
  addExtension({ Class: Uuid, type: 2, pack: (value) => Buffer.from(value.text), unpack: (data) => new Uuid(String(data)) });
  addExtension({
    Class: Decimal,
    type: 3,
    pack: (value) => Buffer.from(value.text),
    unpack: (data) => new Decimal(String(data)),
  });
  const packr = new Packr({ useRecords: false, mapsAsObjects: true, moreTypes: true });
  return { name: "msgpackr", version: versionOf("msgpackr"), pack: (v) => packr.pack(v), unpack: (w) => packr.unpack(w) };
};

const cborx = async () => {
  const { addExtension, Encoder } = await import("cbor-x");
  // 37 is the tag of UUIDs; the other is a number from the range that is free for all.
  addExtension({ Class: Uuid, tag: 37, encode: (value, encode) => encode(value.text), decode: (text) => new Uuid(text) });
  addExtension({ Class: Decimal, tag: 40_003, encode: (v, encode) => encode(v.text), decode: (text) => new Decimal(text) });
  const cbor = new Encoder({ useRecords: false, mapsAsObjects: true });
  return { name: "cbor-x", version: versionOf("cbor-x"), pack: (v) => cbor.encode(v), unpack: (w) => cbor.decode(w) };
};

const transit = (type, name) => async () => {
  const { default: transit } = await import("transit-js");
  const text = (tag) => transit.makeWriteHandler({ tag: () => tag, rep: (v) => v.text, stringRep: (v) => v.text });
  const writer = transit.writer(type, {
    handlers: transit.map([
      ...[Uuid, text("u"), Decimal, text("f")],
      ...[Set, transit.makeWriteHandler({ tag: () => "set", rep: (v) => transit.tagged("array", [...v]) })],
    ]),
  });
  const reader = transit.reader("json", {
    // Objects instead of its own maps, as its manual shows for who wants plain JavaScript.
    mapBuilder: { init: () => ({}), add: (map, key, value) => ((map[key] = value), map), finalize: (map) => map },
    handlers: {
      u: (rep) => new Uuid(rep),
      f: (rep) => new Decimal(rep),
      set: (rep) => new Set(rep),
    },
  });
  return { name, version: versionOf("transit-js"), pack: (v) => writer.write(v), unpack: (w) => reader.read(w) };
};

const OURS = ["json", "auto", "auto+msgpack", "msgpack", "cbor"];
const PEERS = [
  ...OURS.map((name) => [`sente-client ${name}`, ours(name), "npm run build in js/"]),
  ["JSON (Node)", json],
  ["@msgpack/msgpack", msgpack],
  ["msgpackr", msgpackr],
  ["cbor-x", cborx],
  ["transit-js json", transit("json", "transit-js json")],
  ["transit-js json-verbose", transit("json-verbose", "transit-js json-verbose")],
];

function versionOf(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(readFileSync(file, "utf8")).version}`;
}

function begin(codec, { value }) {
  let failed;
  for (const pack of [codec.pack, codec.packLossy]) {
    if (!pack) continue;
    try {
      const wire = pack(value);
      const keeps = isDeepStrictEqual(codec.unpack(wire), value) ? "same" : "lossy";
      // A packer may hand out a view of a buffer that it writes into again.
      const kept = typeof wire === "string" ? wire : wire.slice();
      return { codec, value, pack, wire: kept, keeps, packed: [], unpacked: [] };
    } catch (error) {
      failed ??= `${error.name}: ${error.message}`.slice(0, 120);
    }
  }
  return { codec, failed };
}

function time(call, argument, count) {
  const start = performance.now();
  for (let i = 0; i < count; i += 1) sink = call(argument);
  return (performance.now() - start) / count / 1000;
}
let sink; // what is computed must be used, or the compiler may leave it out
export const last = () => sink;

function countFor(call, argument, sample) {
  for (let count = 1; count < 1e6; count *= 4) {
    const seconds = time(call, argument, count) * count;
    if (seconds >= sample / 4) return Math.max(1, Math.round((count * sample) / seconds));
  }
  return 1e6;
}

function spread(seconds) {
  const sorted = seconds.toSorted((a, b) => a - b);
  const micro = (value) => Math.round(value * 1e10) / 1e4;
  return { median: micro(sorted[sorted.length >> 1]), least: micro(sorted[0]), most: micro(sorted.at(-1)) };
}

function finish({ codec, failed, keeps, wire, packed, unpacked }, payload) {
  const head = { payload: payload.name, codec: codec.name };
  if (failed) return { ...head, keeps: "failed", why: failed };
  const bytes = Buffer.from(wire);
  const sizes = { size: bytes.length, gzip: gzipSync(bytes, { level: 6 }).length };
  return { ...head, keeps, pack: spread(packed), unpack: spread(unpacked), ...sizes };
}

const [corpus, rounds, sample] = process.argv.slice(2);
const text = readFileSync(corpus, "utf8");
const payloads = JSON.parse(text, reviver(Uuid, Decimal));
const codecs = [];
const absent = {};
for (const [name, load, needs = "npm ci in benchmarks/"] of PEERS) {
  try {
    codecs.push(await load());
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    absent[name] = needs;
  }
}
for (const codec of codecs) codec.payloads = codec.revive ? JSON.parse(text, codec.revive) : payloads;
const rows = [];
for (const [number, payload] of payloads.entries()) {
  process.stderr.write(`measuring ${payload.name} in Node\n`);
  const begun = codecs.map((codec) => begin(codec, codec.payloads[number]));
  const trials = begun.filter((trial) => !trial.failed);
  for (const trial of trials) {
    // Twice: the first time the compiler is still at work.
    for (let i = 0; i < 2; i += 1) {
      trial.packs = countFor(trial.pack, trial.value, Number(sample));
      trial.unpacks = countFor(trial.codec.unpack, trial.wire, Number(sample));
    }
  }
  for (let round = 0; round < Number(rounds); round += 1) {
    const first = round % trials.length;
    for (const trial of [...trials.slice(first), ...trials.slice(0, first)]) {
      trial.packed.push(time(trial.pack, trial.value, trial.packs));
      trial.unpacked.push(time(trial.codec.unpack, trial.wire, trial.unpacks));
    }
  }
  rows.push(...begun.map((trial) => finish(trial, payload)));
}
const known = codecs.map(({ name, version, ours = false, note = "" }) => ({ name, version, ours, runtime: "node", note }));
console.log(JSON.stringify({ yardstick: "JSON (Node)", codecs: known, rows, absent }));

// What the formats' own libraries write is read here, and what is written here they read.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, ExtData } from "@msgpack/msgpack";
import { Encoder, Tag } from "cbor-x";
import transit from "transit-js";
import { auto, Decimal, Keyword, type Packer, Sym, TaggedValue, Uri, UUID } from "../src/index.js";
import { cbor } from "../src/packers/cbor.js";
import { msgpack } from "../src/packers/msgpack.js";
import { transitJson } from "../src/packers/transit.js";
import { anyValue, chance, UUID_TEXT, VALUES } from "./values.js";

const FORMS: Record<string, Packer> = { "json-verbose": auto(), json: transitJson };

const FROM_TRANSIT: [string, unknown, unknown][] = [
  ["maps with strings as keys", transit.map(["a", 1, "~b", [null, true, 1.5, "^c", "`d", "~e"]]), { a: 1, "~b": [null, true, 1.5, "^c", "`d", "~e"] }],
  ["maps with scalar keys", transit.map([1, "one", transit.keyword("k"), 2]), new Map<unknown, unknown>([[1, "one"], [new Keyword("k"), 2]])],
  ["maps with composite keys", transit.map([[1], 2]), new Map([[[1], 2]])],
  ["names", [transit.keyword("a/b"), transit.symbol("s"), transit.uri("http://a/")], [new Keyword("a/b"), new Sym("s"), new Uri("http://a/")]],
  ["UUIDs", [transit.uuid(UUID_TEXT)], [new UUID(UUID_TEXT)]],
  ["dates", [new Date(1_700_000_000_123)], [new Date(1_700_000_000_123)]],
  ["sets and lists", [transit.set([1, "a"]), transit.set([])], [new Set([1, "a"]), new Set()]],
  ["numbers", [transit.integer("9007199254740993"), transit.bigInt("123456789012345678901"), transit.bigDec("0.10"), NaN, -Infinity],
    [9007199254740993n, 123456789012345678901n, new Decimal("0.10"), NaN, -Infinity]],
  ["bytes", [transit.binary("AP8=")], [Uint8Array.of(0, 255)]],
  ["unknown tags", [transit.tagged("app/x", [1])], [new TaggedValue("app/x", [1])]],
  ["lists", [transit.list([2])], [[2]]],
  ["a scalar in quotes", "~a", "~a"],
  ["a date in quotes", new Date(0), new Date(0)],
];

for (const [form, packer] of Object.entries(FORMS)) {
  for (const [what, theirs, ours] of FROM_TRANSIT) {
    test(`transit-js, ${form}: ${what}`, () => {
      assert.deepEqual(packer.unpack(transit.writer(form).write(theirs)), ours);
    });
  }
}

// What transit-js cannot carry: it drops or tags them wrongly.
const LOST = [
  "the key __proto__",
  "minus zero",
  "whole numbers beyond 2^53",
  "maps with fractions as keys",
  "maps with dates as keys",
  "the year 1",
  "characters",
  "unknown tags of one character",
];

for (const [form, packer] of Object.entries(FORMS)) {
  const [writer, reader] = [transit.writer(form), transit.reader(form)];

  test(`transit-js, ${form}: it reads what is written here, and writes it as it was`, () => {
    for (const [what, value] of Object.entries(VALUES)) {
      if (LOST.includes(what)) continue;
      const theirs = writer.write(reader.read(packer.pack(value) as string));
      assert.deepEqual(packer.unpack(theirs), value, what);
    }
  });
}

const records = (many: number): unknown[] =>
  Array.from({ length: many }, (_, n) => ({ [`key-${n}`]: n, name: "ada", "go🙂": new Keyword("said"), ok: "abc" }));

test("transit-js: what comes again is the same in both", () => {
  const text = transitJson.pack(records(1000)) as string;
  assert.equal(transit.writer("json").write(transit.reader("json").read(text)), text);
});

test("transit-js: with more keys than there are codes for", () => {
  const text = transitJson.pack(records(3000)) as string; // where it begins anew is the writer's affair
  assert.deepEqual(transitJson.unpack(transit.writer("json").write(transit.reader("json").read(text))), records(3000));
  assert.deepEqual(transitJson.unpack(text), records(3000));
});

/** Whether a value needs no types; of what does not, the library refuses the key `__proto__`. */
function isPlain(value: unknown): boolean {
  try {
    return JSON.stringify(value) === auto().pack(value) && !JSON.stringify(value).includes("__proto__");
  } catch {
    return false; // a bigint
  }
}

test("@msgpack/msgpack: what needs no extension is the same in both", () => {
  let compared = 0;
  for (let seed = 1; seed <= 5000; seed++) {
    const value = anyValue(chance(seed));
    if (!isPlain(value)) continue;
    compared += 1;
    assert.deepEqual(Buffer.from(msgpack.pack(value) as Uint8Array), Buffer.from(encode(value)), `seed ${seed}`);
    assert.deepEqual(decode(msgpack.pack(value) as Uint8Array), value);
  }
  assert.ok(compared > 200, String(compared));
});

test("@msgpack/msgpack: bytes, dates and 64 bit", () => {
  const dates = VALUES.dates as Date[];
  for (const value of [...(VALUES.bytes as Uint8Array[]), ...dates, ...(VALUES["small numbers"] as number[]), ...(VALUES["16 and 32 bit"] as number[])]) {
    assert.deepEqual(Buffer.from(msgpack.pack(value) as Uint8Array), Buffer.from(encode(value)));
  }
  const integers = [2n ** 53n, 2n ** 64n - 1n, -(2n ** 63n)];
  assert.deepEqual(Buffer.from(msgpack.pack(integers) as Uint8Array), Buffer.from(encode(integers, { useBigInt64: true })));
  assert.deepEqual(msgpack.unpack(encode([1.5, 0.1], { forceFloat32: true })), [1.5, Math.fround(0.1)]);
  assert.deepEqual(decode(msgpack.pack(new Keyword("a")) as Uint8Array), new ExtData(7, Uint8Array.of(0x61)));
});

const cborX = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false });

test("cbor-x: what needs no tag is the same in both", () => {
  let compared = 0;
  for (let seed = 1; seed <= 5000; seed++) {
    const value = anyValue(chance(seed));
    if (!isPlain(value)) continue;
    assert.deepEqual(cbor.unpack(cborX.encode(value)), value);
    if (/\d{10}|-0/.test(JSON.stringify(value))) continue; // whole numbers beyond 32 bit it writes as floats, -0 as 0
    compared += 1;
    assert.deepEqual(cborX.decode(cbor.pack(value) as Uint8Array), value);
    assert.deepEqual(Buffer.from(cbor.pack(value) as Uint8Array), cborX.encode(value), `seed ${seed}`);
  }
  assert.ok(compared > 200, String(compared));
});

test("cbor-x: bytes, sets, large integers, dates and other tags", () => {
  for (const value of [VALUES.bytes, new Set([1, new Set(["a"])]), [2n ** 53n, 2n ** 64n, -(2n ** 64n) - 1n, -(2n ** 63n)]]) {
    assert.deepEqual(Buffer.from(cbor.pack(value) as Uint8Array), cborX.encode(value));
    assert.deepEqual(cborX.decode(cbor.pack(value) as Uint8Array), value);
  }
  for (const date of VALUES.dates as Date[]) {
    assert.deepEqual(cborX.decode(cbor.pack(date) as Uint8Array), date);
    assert.deepEqual(cbor.unpack(cborX.encode(date)), date);
  }
  const id = cborX.decode(cbor.pack(new UUID(UUID_TEXT)) as Uint8Array) as Tag;
  assert.deepEqual([id.tag, cbor.unpack(cborX.encode(id))], [37, new UUID(UUID_TEXT)]);
});

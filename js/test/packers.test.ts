import assert from "node:assert/strict";
import { test } from "node:test";
import { auto, Decimal, json, Keyword, PackError, type Packer, TaggedValue, UnpackError, UUID, type Wire } from "../src/index.js";
import { cbor } from "../src/packers/cbor.js";
import { msgpack } from "../src/packers/msgpack.js";
import { chosen, offer } from "../src/packers/packer.js";
import { anyValue, chance, UUID_TEXT, VALUES } from "./values.js";

const TYPED = { auto: auto(), cbor, msgpack, "auto with msgpack": auto({ msgpack }) };
const ALL = { ...TYPED, json };
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const through = (packer: Packer, value: unknown): unknown => packer.unpack(packer.pack(value));

for (const [name, packer] of Object.entries(TYPED)) {
  for (const [what, value] of Object.entries(VALUES)) {
    test(`${name}: ${what}`, () => assert.deepEqual(through(packer, value), value));
  }

  test(`${name}: 2,000 values at random come back as they were`, () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const value = anyValue(chance(seed));
      assert.deepEqual(through(packer, value), value, `seed ${seed}`);
    }
  });

  test(`${name}: what only looks otherwise`, () => {
    assert.deepEqual(through(packer, [5n, new ArrayBuffer(2), undefined, , Buffer.from("a")]), [
      5, new Uint8Array(2), null, null, Uint8Array.of(97),
    ]);
    assert.deepEqual(through(packer, new Map([["a", 1]])), { a: 1 });
    assert.deepEqual(through(packer, { gone: undefined, url: new URL("http://a/"), own: new (class { x = 1 })() }), {
      url: "http://a/", own: { x: 1 },
    });
  });

  test(`${name}: no key reaches a prototype`, () => {
    const read = through(packer, VALUES["the key __proto__"]) as [object];
    assert.ok(Object.hasOwn(read[0], "__proto__"));
    assert.equal(Object.getPrototypeOf(read[0]), Object.prototype);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
    const rich = JSON.parse(`{"__proto__": "~:a", "~:k": 1, "~~x": {"__proto__": "~u${UUID_TEXT}"}}`);
    assert.ok(through(packer, rich));
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });
}

test("auto writes plain JSON where that says all, and Transit's verbose form where not", () => {
  const form = (value: unknown): Wire => auto().pack(value);
  assert.equal(form([{ a: [1, "x"] }]), '[{"a":[1,"x"]}]');
  assert.equal(form({ "~a": new Set(["^b"]) }), '{"~~a":{"~#set":["~^b"]}}');
  assert.equal(form([new Date(0), new UUID(UUID_TEXT.toUpperCase()), 2n ** 63n, -(2n ** 63n)]),
    `["~t1970-01-01T00:00:00.000Z","~u${UUID_TEXT}","~n9223372036854775808","~i-9223372036854775808"]`);
  assert.equal(form(new Map<unknown, unknown>([[1, 2], [false, 3]])), '{"~i1":2,"~?f":3}');
  assert.equal(form(new Map([[[1], 2]])), '{"~#cmap":[[1],2]}');
});

test("msgpack's extensions are those of Python", () => {
  const form = (value: unknown): string => Buffer.from(msgpack.pack(value) as Uint8Array).toString("hex");
  assert.equal(form(new Set([1, 2])), "c70305920102");
  assert.equal(form(new UUID(UUID_TEXT)), `d802${UUID_TEXT.replaceAll("-", "")}`);
  assert.equal(form(new Decimal("1.50")), "d603312e3530");
  assert.equal(form(new Keyword("ab")), "d5076162");
  assert.equal(form(2n ** 64n), "c70904010000000000000000");
  assert.equal(form(-(2n ** 64n)), "c70904ff0000000000000000");
  assert.equal(form(new TaggedValue("r", "x")), "c7050192a172a178");
  assert.equal(form(new Map([[[1], 2]])), "c70a0192a4636d617092910102");
});

test("a value is not changed by packing it", () => {
  const inner = Object.freeze({ "~k": Object.freeze(["~a", NaN]) });
  assert.equal(auto().pack(inner), '{"~~k":["~~a","~zNaN"]}');
});

test("auto with msgpack writes msgpack for what is small or has types, text for the rest", () => {
  const packer = auto({ msgpack });
  const rows = Array.from({ length: 300 }, (_, id) => ({ id, name: "ada" }));
  assert.equal(typeof packer.pack(["chat/say", 1]), "object");
  assert.equal(typeof packer.pack(rows), "string");
  assert.equal(typeof packer.pack([...rows, new Date(0)]), "object");
});

test("what the server does not read is not written", () => {
  const packers = [auto({ msgpack }), json];
  assert.equal(offer(packers), "auto+msgpack,json");
  assert.equal(offer([auto(), msgpack]), "auto,msgpack");
  assert.equal(typeof chosen(packers, "auto")?.pack(1), "string");
  assert.equal(typeof chosen(packers, "auto+gzip")?.pack([new Date(0)]), "string");
  assert.equal(typeof chosen(packers, "auto+gzip+msgpack+zstd")?.pack(1), "object");
  assert.equal(chosen(packers, "json"), json);
  assert.equal(chosen(packers, "cbor"), undefined);
  assert.deepEqual(chosen(packers, "auto")?.unpack(hex("c0")), null, "and yet all is read");
});

test("json writes types as plain as it can", () => {
  const value = [new Date(0), new UUID(UUID_TEXT), new Decimal("0.10"), new Keyword("a"), new Set([1]), 5n, -0,
    new TaggedValue("ratio", [1, 3]), { u: undefined }, undefined];
  assert.equal(json.pack(value), `["1970-01-01T00:00:00.000Z","${UUID_TEXT}","0.10","a",[1],5,0,[1,3],{},null]`);
  assert.deepEqual(json.unpack(new TextEncoder().encode('{"a":["~:b"]}')), { a: ["~:b"] });
});

const cycle: unknown[] = [];
cycle.push(cycle);
const nested = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => [inner], 0);

const IMPOSSIBLE: [string, unknown, string, RegExp][] = [
  ["a function", { a: [0, () => 1] }, "value.a[1]", /function/],
  ["a symbol", Symbol("x"), "value", /symbol/],
  ["half a surrogate pair", ["\ud800"], "value[0]", /surrogate/],
  ["half a surrogate pair as a key", { "\udc00": 1 }, "value.\udc00", /surrogate/],
  ["an invalid Date", { at: new Date(NaN) }, "value.at", /invalid Date/],
  ["a Date beyond the years of Python", [new Date(8.64e15)], "value[0]", /years 1 to 9999/],
  ["a RegExp", [/x/], "value[0]", /RegExp/],
  ["a Promise", [Promise.resolve()], "value[0]", /Promise/],
  ["an array that tells its type only to JavaScript", new Float32Array(1), "value", /Float32Array/],
  ["a bigint of too many digits", [10n ** 901n], "value[0]", /digits/],
  ["a value within itself", cycle, `value${"[0]".repeat(250)}`, /250 arrays/],
  ["equal members", [new Set([[1], [1]])], "value[0]", /equal: \[1\]/],
  ["members that Python holds to be equal", new Set([1, true]), "value", /equal/],
  ["equal UUIDs as keys", new Map([[new UUID(UUID_TEXT), 1], [new UUID(UUID_TEXT), 2]]), "value", /equal: u/],
  ["equal sets in a Set", new Set([new Set([1, 2n ** 60n]), new Set([2n ** 60n, 1])]), "value", /equal: set/],
  ["an object in a Set", [new Set([[{}]])], "value[0]", /an object/],
  ["bytes twice as keys", new Map([[new Uint8Array(1), 1], [new Uint8Array(1), 2]]), "value", /equal: bytes/],
  ["what throws", [{ toJSON: () => { throw new Error("no"); } }], "value[0]", /no/],
];

for (const [name, packer] of Object.entries(ALL)) {
  for (const [what, value, path, reason] of IMPOSSIBLE) {
    test(`${name} refuses ${what}`, () => {
      assert.throws(() => packer.pack(value), (error) => {
        assert.ok(error instanceof PackError);
        assert.equal(error.path, path);
        assert.match(error.reason, reason);
        return true;
      });
    });
  }

  test(`${name}: depth has a limit`, () => {
    assert.ok(packer.pack(nested(250)));
    assert.throws(() => packer.pack(nested(251)), PackError);
  });
}

for (const [what, value] of Object.entries({
  bytes: new Uint8Array(1), NaN: NaN, Infinity: -Infinity, "a Map": new Map(), "a bigint": 2n ** 53n,
})) {
  test(`json refuses ${what}`, () => assert.throws(() => json.pack({ a: [value] }), { name: "PackError", path: "value.a[0]" }));
}

const HOSTILE_TEXT = [
  "", "{", "[1,]", "\u0000", '"~#set"', '"^0"', '["^ ",1,2]', '"`x"', '"~"', '"~?x"', '"~_x"', '"~uxyz"', '"~u"', '"~fx"', '"~f+1"',
  '"~tyesterday"', '"~t2026-13-01T00:00:00Z"', '"~t2026-01-01T00:00:00"', '"~m1e99"', '"~m99999999999999999999"', '"~i1.5"',
  '"~i"', `"~n${"9".repeat(1001)}"`, '"~d0x1"', '"~dNaN"', '"~zINFINITY"', '"~z__proto__"', '"~b*"', '"~cab"', '"~c"', '{"~#u":5}',
  '{"~#set":5}', '{"~#set":{}}', '{"~#cmap":[1]}', '{"~#":1}', '{"~#~x":1}', '{"~#t":[]}', '["~#cmap",5]', `{"~#${"x".repeat(129)}":1}`,
  `${"[".repeat(255)}${"]".repeat(255)}`, "[".repeat(100_000), `${'{"a":'.repeat(300)}1${"}".repeat(300)}`,
];

for (const text of HOSTILE_TEXT) {
  test(`auto does not read ${text.slice(0, 40)}`, () => assert.throws(() => auto().unpack(text), UnpackError));
}

const HOSTILE_BYTES = [
  "", "c1", "92 01", "a5 61", "a1 ff", "a3 ed a0 80", "c4 05 00", "dd ff ff ff ff", "df ff ff ff ff 01", "db ff ff ff ff", "c0 c0",
  "d4 06 00", "d4 ff 00", "d6 01 93 01 02 03", "d5 01 92 01", "d4 01 01", "d4 05 01", "d5 02 00 00", "d4 03 78", "c7 00 04",
  `c8 01 79 04 ${"00".repeat(377)}`, "d5 07 c3 28", "d7 ff ff ff ff ff 00 00 00 00", "c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff",
  "91".repeat(300) + "c0", "91".repeat(100_000),
];

for (const bytes of HOSTILE_BYTES) {
  test(`msgpack does not read ${bytes.slice(0, 40)}`, () => assert.throws(() => msgpack.unpack(hex(bytes)), UnpackError));
}

test("extensions within each other have a limit, in either direction", () => {
  const sets = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => new Set([inner]), 0);
  assert.deepEqual(through(msgpack, sets(16)), sets(16));
  assert.throws(() => msgpack.pack(sets(17)), PackError);
  const packed = msgpack.pack(sets(16)) as Uint8Array;
  const deeper = Uint8Array.of(0xc7, packed.length + 1, 5, 0x91, ...packed);
  assert.throws(() => msgpack.unpack(deeper), UnpackError);
});

test("a frame of the other kind", () => {
  assert.throws(() => msgpack.unpack("[]"), UnpackError);
  assert.throws(() => auto().unpack(hex("c0")), UnpackError);
  assert.throws(() => json.unpack(hex("ff")), UnpackError);
  assert.throws(() => json.unpack("[".repeat(300) + "]".repeat(300)), UnpackError);
});

test("whatever bytes come, msgpack reads them or says UnpackError", () => {
  const random = chance(4);
  for (let i = 0; i < 20_000; i++) {
    const packed = msgpack.pack(anyValue(random, 3)) as Uint8Array;
    for (let flips = 1 + random() * 3; flips > 0; flips--) packed[Math.floor(random() * packed.length)] = random() * 256;
    try {
      msgpack.unpack(packed.subarray(0, 1 + random() * packed.length));
    } catch (error) {
      assert.ok(error instanceof UnpackError, String(error));
    }
  }
});

test("whatever text comes, auto reads it or says UnpackError", () => {
  const random = chance(5);
  const characters = '~^`#"[]{},:1tuzbn\\';
  for (let i = 0; i < 20_000; i++) {
    const text = [...(auto().pack(anyValue(random, 3)) as string)];
    for (let flips = 1 + random() * 3; flips > 0; flips--) {
      text[Math.floor(random() * text.length)] = characters[Math.floor(random() * characters.length)] ?? "";
    }
    try {
      auto().unpack(text.join(""));
    } catch (error) {
      assert.ok(error instanceof UnpackError, String(error));
    }
  }
});

test("CBOR's tags are those of Python", () => {
  const form = (value: unknown): string => Buffer.from(cbor.pack(value) as Uint8Array).toString("hex");
  assert.equal(form(new Set([1, 2])), "d90102820102");
  assert.equal(form(new UUID(UUID_TEXT)), `d82550${UUID_TEXT.replaceAll("-", "")}`);
  assert.equal(form(new Decimal("1.50")), "c482211896");
  assert.equal(form(new Decimal("-0")), "d81b826166622d30");
  assert.equal(form(new Keyword("ab")), "d81b82613a626162");
  assert.equal(form(2n ** 64n), "c249010000000000000000");
  assert.equal(form(-(2n ** 64n)), "3bffffffffffffffff");
  assert.equal(form(new TaggedValue("ratio", [1, 3])), "d81e820103");
  assert.equal(form(new TaggedValue("time/date", "2026-01-02")), "d903ec6a323032362d30312d3032");
  assert.equal(form(new TaggedValue("r", "x")), "d8206178");
  assert.equal(form(new Map([[[1], 2]])), "a1810102");
  assert.equal(form(-0), "fb8000000000000000");
  assert.equal(form([2 ** 32, -(2 ** 40)]), "821b00000001000000003b000000ffffffffff");
});

for (const text of ["0", "-1", "1.50", "0.000001", "1E-7", "-1.23E+5", "0.00", "1E+3", "12E2", "1.", "-0.0", "NaN", "1".repeat(950)]) {
  test(`CBOR: the decimal number ${text.slice(0, 20)}`, () => {
    assert.deepEqual(through(cbor, new Decimal(text)), new Decimal(text));
  });
}

for (const [bytes, value] of [
  ["d9d9f7 01", 1],
  ["c1 20", new Date(-1000)],
  ["c1 fb 3fe0000000000000", new Date(500)],
  ["83 f9 3e00 f9 8001 f9 fc00", [1.5, -(2 ** -24), -Infinity]],
  ["9f 5f 41 01 42 0203 ff 7f 61 61 63 e58588 ff ff", [Uint8Array.of(1, 2, 3), "a先"]],
  ["bf 61 61 9f ff 61 62 f7 ff", { a: [], b: null }],
  ["1b 0000000000000001", 1],
  ["3b ffffffffffffffff", -(2n ** 64n)],
] as const) {
  test(`CBOR of others: ${bytes}`, () => assert.deepEqual(cbor.unpack(hex(bytes)), value));
}

for (const bytes of [
  "", "18", "1c", "1f", "3f", "61", "61ff", "5f6161ff", "5f5fff", "7f61", "9f", "9bffffffffffffffff", "bbffffffffffffffff00", "df01",
  "5bffffffffffffffff", "ff", "81ff", "bf01ff", "e0", "f8ff", "0101", "d81c81d81d00", "d8236161", "d81900", "d90100 80", "81d9d9f701",
  "c06161", "c001", "c16161", "c1fb7ff0000000000000", "c28101", `c2590179${"ff".repeat(377)}`, "c4820161 31", "c401", "d81b80", "d81b820101",
  "d82001", "d8254100", "d9010201", "d903ec01", "81".repeat(300), "c1".repeat(300),
]) {
  test(`cbor does not read ${bytes.slice(0, 40)}`, () => assert.throws(() => cbor.unpack(hex(bytes)), UnpackError));
}

test("CBOR as deep as Python reads it", () => {
  const nested = (depth: number): unknown => (depth ? [nested(depth - 1)] : new Decimal("1.5"));
  assert.deepEqual(through(cbor, nested(250)), nested(250));
  assert.throws(() => cbor.pack(nested(251)), PackError);
  assert.throws(() => cbor.unpack("[]"), UnpackError);
  assert.throws(() => cbor.pack([{ a: Symbol("a") }]), /value\[0\]\.a/);
});

test("whatever bytes come, cbor reads them or says UnpackError", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const random = chance(seed);
    const packed = cbor.pack(anyValue(random, 3)) as Uint8Array;
    for (let i = 0; i < 3; i++) packed[Math.floor(random() * packed.length)] = random() * 256;
    try {
      cbor.unpack(packed.subarray(0, 1 + random() * packed.length));
    } catch (error) {
      assert.ok(error instanceof UnpackError, String(error));
    }
  }
});

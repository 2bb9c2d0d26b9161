import assert from "node:assert/strict";
import { test } from "node:test";
import { Decimal, Keyword, PackError, TaggedValue, UnpackError, UUID } from "../src/index.js";
import { transit, transitJson } from "../src/packers/transit.js";
import { UUID_TEXT, anyValue, chance } from "./values.js";

test("what comes again is a code, as Python writes it", () => {
  assert.equal(transitJson.pack([{ name: "ada" }, { name: "bob" }]), '[["^ ","name","ada"],["^ ","^0","bob"]]');
  assert.equal(transitJson.pack([new Keyword("said"), new Keyword("said"), new Keyword("a")]), '["~:said","^0","~:a"]');
  assert.equal(transitJson.pack([new Set([1]), new Set([2])]), '[["~#set",[1]],["^0",[2]]]');
  assert.equal(transitJson.pack([{ abc: "abcd" }, { abc: "abcd" }]), '[["^ ","abc","abcd"],["^ ","abc","abcd"]]', "values are not cached");
  assert.equal(transitJson.pack(new Map([[[1], 2]])), '["~#cmap",[[1],2]]');
});

test("a scalar alone is quoted", () => {
  for (const value of [1, "a", "~a", null, true, 1.5, new Keyword("k"), new Decimal("0.1"), new TaggedValue("x", [1])]) {
    assert.match(transitJson.pack(value) as string, /^\["~#'",/);
    assert.deepEqual(transitJson.unpack(transitJson.pack(value)), value);
  }
});

test("a moment is its milliseconds, unless it is finer", () => {
  assert.equal(transitJson.pack([new Date(1_700_000_000_123)]), '["~m1700000000123"]');
  assert.equal(transitJson.pack([new TaggedValue("t", "2026-01-02T03:04:05.678901Z")]), '["~t2026-01-02T03:04:05.678901Z"]');
});

test("the verbose form is read by both", () => {
  const value = [{ id: new UUID(UUID_TEXT), at: new Set([new Date(0)]) }, new Map([[1, "one"]])];
  assert.deepEqual(transitJson.unpack(transit.pack(value)), value);
  assert.deepEqual(transit.unpack(transit.pack(value)), value);
  assert.equal(transit.name, "transit");
});

test("types of one's own", () => {
  class Money {
    constructor(readonly cents: number) {}
  }
  const handler = { tag: "app/money", type: Money, encode: ({ cents }: Money) => cents, decode: (cents: number) => new Money(cents) };
  for (const packer of [transit, transitJson].map((one) => one.withTypes?.([handler]))) {
    assert.deepEqual(packer?.unpack(packer.pack([new Money(7), new Money(8)])), [new Money(7), new Money(8)]);
  }
});

for (const wire of [
  "", "{", '["^0"]', '["^ "', '["^ ","a"]', '["~#set"]', '["~#set",[1],2]', '[1,"~#set"]', '["~#set",1]', '["~"]', '["`"]', '["^"]', '["^ ","~#aa",1]',
  '["~u1"]', '["~m1.5"]', '["~#cmap",[1]]', '["^ ","a",1,"a",2]', '[["~#aaaa",1],"^0"]', `${"[".repeat(300)}${"]".repeat(300)}`,
]) {
  test(`transit-json does not read ${wire.slice(0, 40)}`, () => assert.throws(() => transitJson.unpack(wire), UnpackError));
}

test("what cannot be written, and where it is", () => {
  assert.throws(() => transitJson.pack([{ a: Symbol("a") }]), (error) => error instanceof PackError && /value\[0\]\.a/.test(error.message));
  let nested: unknown = [];
  for (let i = 0; i < 250; i++) nested = [nested];
  assert.throws(() => transitJson.pack(nested), PackError);
  assert.throws(() => transitJson.pack(new Map<unknown, unknown>([[1, "a"], ["~i1", "b"]]).set(new TaggedValue("i", "1"), 2)), PackError);
});

test("the key __proto__ is one like any other", () => {
  const read = transitJson.unpack('["^ ","__proto__",["^ ","polluted",true]]') as object;
  assert.ok(Object.hasOwn(read, "__proto__") && !("polluted" in {}));
});

test("whatever text comes, it is read or UnpackError", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const random = chance(seed);
    const text = [...(transitJson.pack(anyValue(random, 3)) as string)];
    for (let i = 0; i < 3; i++) text[Math.floor(random() * text.length)] = '"~^#[]:,0 s'[Math.floor(random() * 11)] as string;
    try {
      transitJson.unpack(text.join(""));
    } catch (error) {
      assert.ok(error instanceof UnpackError, `seed ${seed}: ${String(error)}`);
    }
  }
});

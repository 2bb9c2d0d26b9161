import assert from "node:assert/strict";
import { test } from "node:test";
import { auto, Decimal, json, Keyword, PackError, TaggedValue, type TypeHandler, UnpackError, UUID } from "../src/index.js";
import { packersOf } from "../src/options.js";
import { cbor } from "../src/packers/cbor.js";
import { msgpack } from "../src/packers/msgpack.js";
import { UUID_TEXT } from "./values.js";

class Money {
  constructor(
    readonly currency: string,
    readonly cents: number,
  ) {
    if (!Number.isInteger(cents)) throw new TypeError("whole cents");
  }
}

class Wallet {
  constructor(readonly coins: readonly Money[]) {}
}

class Gift extends Money {}

const MONEY: TypeHandler<Money> = {
  tag: "app/money",
  type: Money,
  encode: ({ currency, cents }) => [currency, cents],
  decode: ([currency, cents]: [string, number]) => new Money(currency, cents),
};
const WALLET: TypeHandler<Wallet> = { tag: "app/wallet", type: Wallet, encode: ({ coins }) => new Set(coins), decode: (coins) => new Wallet([...coins]) };

const [text, binary, both, plain] = packersOf({ packers: [auto(), msgpack, auto({ msgpack }), json], types: [MONEY, WALLET] });
assert.ok(text && binary && both && plain);

for (const packer of [text, binary, both]) {
  test(`${packer.name} ${packer.accepts ?? ""}: one's own types, within each other`, () => {
    const value = { w: new Wallet([new Money("EUR", 5), new Money("JPY", 7)]) };
    assert.deepEqual(packer.unpack(packer.pack(value)), value);
    assert.deepEqual(packer.unpack(packer.pack(new Gift("EUR", 1))), new Money("EUR", 1), "a subclass is written by its base's handler");
  });

  test(`${packer.name} ${packer.accepts ?? ""}: what a handler throws`, () => {
    const bad = packersOf({ packers: [packer], types: [] })[0];
    assert.throws(() => packer.unpack(bad?.pack(new TaggedValue("app/money", ["EUR", 0.5])) ?? ""), UnpackError);
    const failing = { ...MONEY, encode: () => assert.fail("broken") };
    const [fails] = packersOf({ packers: [packer], types: [failing] });
    assert.throws(() => fails?.pack({ m: new Money("EUR", 1) }), { name: "PackError", path: "value.m" });
  });
}

test("the forms are those of Python", () => {
  assert.equal(text.pack([new Money("EUR", 5)]), '[{"~#app/money":["EUR",5]}]');
  assert.equal(Buffer.from(binary.pack(new Money("EUR", 5)) as Uint8Array).toString("latin1"), "\xc7\x11\x01\x92\xa9app/money\x92\xa3EUR\x05");
  assert.equal(plain.pack([new Money("EUR", 5)]), '[["EUR",5]]');
});

test("without decode, and without tag", () => {
  const [tagged, untagged] = [
    { tag: "app/money", type: Money, encode: MONEY.encode },
    { tag: null, type: Money, encode: ({ cents }: Money) => new Date(cents) },
  ].map((handler) => packersOf({ types: [handler] })[0]);
  assert.deepEqual(tagged?.unpack(tagged.pack(new Money("EUR", 5))), new TaggedValue("app/money", ["EUR", 5]));
  assert.deepEqual(untagged?.unpack(untagged.pack(new Money("EUR", 5))), new Date(5));
});

test("a handler of a tag that is built in takes and gives what stands for it here", () => {
  class Instant {
    constructor(readonly ms: number) {}
  }
  const INSTANT: TypeHandler<Instant> = { tag: "t", type: Instant, encode: ({ ms }) => new Date(ms), decode: (date: Date) => new Instant(date.getTime()) };
  for (const packer of packersOf({ packers: [auto(), cbor, msgpack], types: [INSTANT] })) {
    assert.deepEqual(packer.unpack(packer.pack([new Instant(5)])), [new Instant(5)]);
    assert.deepEqual(packer.unpack(packer.pack([new Date(5)])), [new Instant(5)]);
  }
});

test("values are what they look like", () => {
  const id = new UUID(UUID_TEXT.toUpperCase());
  assert.equal(`${id}`, UUID_TEXT);
  assert.equal(JSON.stringify({ id }), `{"id":"${UUID_TEXT}"}`);
  assert.ok(id.equals(new UUID(UUID_TEXT)));
  assert.ok(!id.equals(UUID_TEXT) && !new Keyword("a").equals(new Decimal("1")));
  for (const make of [() => new UUID("x"), () => new Decimal("1,5"), () => new Decimal("0x1"), () => new TaggedValue("~x", 1), () => new TaggedValue("", 1)]) {
    assert.throws(make, TypeError);
  }
});

test("a type that nobody knows is not written as less than it is", () => {
  assert.throws(() => auto().pack([new Error("x")]), PackError);
});

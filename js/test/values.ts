// Values for the tests of the packers: the table of docs/guides/javascript-client.md, and as many at random as wanted.

import { Char, Decimal, Keyword, Sym, TaggedValue, Types, Uri, UUID } from "../src/index.js";
import { checkMembers } from "../src/packers/members.js";

export const UUID_TEXT = "6f1d1b5e-0f0a-4c66-9a6e-3f6f2a4f9d10";

/** What comes back as it was from every packer that knows types, by what it shows. */
export const VALUES: Record<string, unknown> = {
  "null, true, false": [null, true, false],
  "small numbers": [0, 1, -1, 31, -32, -33, 127, 128, 255, 256, -128, -129],
  "16 and 32 bit": [32767, 32768, 65535, 65536, -32768, -32769, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -(2 ** 31)],
  "exact integers": [2 ** 53 - 1, -(2 ** 53) + 1, -(2 ** 31) - 1],
  "bigints of 64 bit": [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)],
  "larger bigints": [2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 63n) - 1n, -(2n ** 71n), 10n ** 800n],
  fractions: [0.1, -1.5, 1e-300, 5e-324],
  "whole numbers beyond 2^53": [2 ** 53, 2 ** 60, 1e21, 1.7976931348623157e308, -(2 ** 64)],
  "minus zero": [-0],
  "no numbers": [NaN, Infinity, -Infinity],
  text: ["", "先手", "\u0000\u001f\"\\/", "😀", "x".repeat(31), "x".repeat(32), "x".repeat(256), "é".repeat(40_000), "\uFEFFx"],
  "text like tags": ["~", "~~", "~#set", "^", "^ ", "`", "~b", "~:a", "a~"],
  "arrays like tags": [["~#set", [1]], ["^ ", 1, 2]],
  bytes: [Uint8Array.of(), Uint8Array.of(0, 255), new Uint8Array(300).fill(7), new Uint8Array(70_000).fill(1)],
  objects: [{}, { a: { b: [{}] } }, { "": 1, "~#set": [1], "^ ": 2, "`": 3, "~": 4 }, { "~#tag": 1 }],
  "the key __proto__": [JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}')],
  "many items": [Array.from({ length: 70_000 }, (_, i) => i % 3), Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i]))],
  maps: [
    new Map<unknown, unknown>([[1, "one"], ["1", "text"], [null, 5]]),
    new Map<unknown, unknown>([[true, 3], [false, 4]]),
    new Map<unknown, unknown>([[[1, 2], "composite"], ["~a", { b: 1 }]]),
    new Map<unknown, unknown>([[new Keyword("a"), 1], [2n ** 70n, 2], [NaN, 3]]),
  ],
  "maps with fractions as keys": [new Map([[1.5, 2]])],
  "maps with dates as keys": [new Map([[new Date(0), 2]])],
  sets: [new Set(), new Set([1, "a", new Set([2])]), new Set([new Date(5), 2n ** 60n])],
  dates: [new Date(0), new Date(1), new Date(1_700_000_000_123), new Date(-1), new Date(2 ** 34 * 1000), new Date("9999-12-31T23:59:59.999Z")],
  "the year 1": [new Date("0001-01-01")],
  "UUID and Decimal": [new UUID(UUID_TEXT), new Decimal("0.10"), new Decimal("-1E+5"), new Decimal("NaN")],
  names: [new Keyword("task/done"), new Sym("map"), new Uri("https://example.com/ü")],
  characters: [new Char("先"), new Char("😀")],
  "values with tags": [
    new TaggedValue("time/date", "2026-11-24"),
    new TaggedValue("ratio", [1, 3]),
    new TaggedValue("app/money", { cents: new Set([5]) }),
  ],
  "unknown tags of one character": [new TaggedValue("x", "scalar"), new TaggedValue("x", [1])],
};

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function chance(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const isLong = (value: any): boolean => (value?.length ?? Object.keys(value ?? {}).length) > 256;
const SCALARS = Object.values(VALUES).flatMap((values) => (values as unknown[]).filter((value) => !isLong(value)));

/** A Set of those that can be members of one together. */
function distinct(items: unknown[]): Set<unknown> {
  const members = new Set();
  for (const item of items) {
    try {
      checkMembers([...members, item], new Types());
      members.add(item);
    } catch {
      continue;
    }
  }
  return members;
}

/** A value made of those above. */
export function anyValue(random: () => number, depth = 0): unknown {
  const items = (): unknown[] => Array.from({ length: random() * 5 }, () => anyValue(random, depth + 1));
  switch (depth > 5 ? 9 : Math.floor(random() * 12)) {
    case 0:
    case 1:
      return items();
    case 2:
    case 3:
      return Object.fromEntries(items().map((item, i) => [`${["", "~", "^", "`", "~#"][i % 5]}k${i}`, item]));
    case 4:
      return distinct(items());
    case 5:
      return new Map([1, ...items()].map((item, i) => [i === 0 ? [random()] : i, item])); // a Map without other keys is an object
    case 6:
      return new TaggedValue("app/any", anyValue(random, depth + 1));
    default:
      return SCALARS[Math.floor(random() * SCALARS.length)];
  }
}

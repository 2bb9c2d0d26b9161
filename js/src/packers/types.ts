import { PackError, UnpackError } from "../errors.js";
import { Char, Decimal, Keyword, Sym, TaggedValue, Uri, UUID } from "../values.js";
import { checkMembers } from "./members.js";

/** One of your own types, for every packer: the same as Python's `TypeHandler`. */
export interface TypeHandler<T = any> {
  /**
   * `"app/money"`; null: written as what `encode` returns, as if that stood there. A tag that is built in (`t`, a
   * moment): `encode` returns and `decode` takes what JavaScript has for it, a Date.
   */
  tag: string | null;
  /** What is an instance of it is written so; the first handler that fits counts. */
  type: abstract new (...args: any) => T;
  /** To values the packers know, or for which there is a handler. */
  encode(value: T): unknown;
  /** From what `encode` returned. Without it the value comes as a `TaggedValue`. */
  decode?(rep: any): unknown;
}

/** What a packer has to write: `Types.reduce` makes it of anything. */
export type Reduced =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | unknown[]
  | Map<unknown, unknown>
  | TaggedValue
  | Record<string, unknown>;

const BUILT_IN = new Set(["t", "u", "f", "set", ":", "$", "r", "c"]);
const LONGEST_NUMBER = 1000; // digits read, as in Python: the time that takes grows with their square
const LONGEST_WRITTEN = 900; // what has 3000 bits, which is what Python takes in binary

/** Which values packers know beyond JSON's, and what stands for them; for those who write a packer. */
export class Types {
  readonly #handlers: readonly TypeHandler[];
  readonly #decoders: ReadonlyMap<string | null, (rep: unknown) => unknown>;

  constructor(handlers: readonly TypeHandler[] = []) {
    this.#handlers = handlers;
    this.#decoders = new Map(handlers.flatMap(({ tag, decode }) => (decode ? [[tag, decode] as const] : [])));
  }

  /** `value` as one of the few kinds that a packer writes. Throws a `PackError`. */
  reduce(value: unknown): Reduced {
    switch (typeof value) {
      case "string":
        if (value.isWellFormed()) return value;
        throw new PackError("half a surrogate pair is no text");
      case "number":
      case "boolean":
        return value;
      case "undefined":
        return null;
      case "bigint":
        return reduceBigInt(value);
      case "object":
        return value === null || Array.isArray(value) ? value : this.#reduceObject(value);
      default:
        throw new PackError(`a ${typeof value} cannot be packed`);
    }
  }

  #reduceObject(value: object): Reduced {
    const prototype: unknown = Object.getPrototypeOf(value);
    const isPlain = prototype === Object.prototype || prototype === null;
    if (!isPlain) {
      for (const { tag, type, encode } of this.#handlers) {
        if (!(value instanceof type)) continue;
        return tag === null || BUILT_IN.has(tag) ? this.reduce(encode(value)) : new TaggedValue(tag, encode(value));
      }
      if (value instanceof TaggedValue || value instanceof Uint8Array) return value;
      if (value instanceof Set || value instanceof Map) checkMembers(value.keys(), this);
      if (value instanceof Map) return value;
      if (value instanceof Date) return new TaggedValue("t", timestamp(value));
      if (value instanceof Set) return new TaggedValue("set", [...value]);
      if (value instanceof ArrayBuffer) return new Uint8Array(value);
    }
    if ("toJSON" in value && typeof value.toJSON === "function") {
      const plain: unknown = value.toJSON();
      if (plain !== value) return this.reduce(plain);
    }
    const kind = isPlain ? "Object" : Object.prototype.toString.call(value).slice(8, -1);
    if (kind !== "Object") throw new PackError(`a value of type ${kind} cannot be packed`);
    return value as Record<string, unknown>;
  }

  /** The value that `rep` stands for. Throws an `UnpackError`. */
  read(tag: string, rep: unknown): unknown {
    try {
      const decode = this.#decoders.get(tag);
      if (decode && !BUILT_IN.has(tag)) return decode(rep);
      const value = typeof rep === "string" ? readScalar(tag, rep) : readComposite(tag, rep);
      return decode ? decode(value) : value;
    } catch (error) {
      throw new UnpackError(`what is tagged ${JSON.stringify(tag)} is none: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

function reduceBigInt(value: bigint): Reduced {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  const text = String(value);
  if (text.length > LONGEST_WRITTEN) throw new PackError(`a bigint of more than ${LONGEST_WRITTEN} digits`);
  return new TaggedValue(BigInt.asIntN(64, value) === value ? "i" : "n", text);
}

function timestamp(date: Date): string {
  const year = date.getUTCFullYear();
  if (year > 0 && year < 10_000) return date.toISOString();
  throw new PackError(Number.isNaN(year) ? "an invalid Date" : "a Date outside the years 1 to 9999");
}

// Tags of one character belong to what a string stands for.
function readScalar(tag: string, text: string): unknown {
  switch (tag) {
    case "t":
      return readDate(text);
    case "m":
      return validDate(Number(whole(text)));
    case "i":
    case "n":
      return readBigInt(BigInt(whole(text)));
    case "d":
      if (!/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) throw new TypeError("no number");
      return Number(text);
    case "z":
      return among(text, { NaN: NaN, INF: Infinity, "-INF": -Infinity });
    case "b":
      return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    case "u":
      return new UUID(text);
    case "f":
      return new Decimal(text);
    case ":":
      return new Keyword(text);
    case "$":
      return new Sym(text);
    case "r":
      return new Uri(text);
    case "c":
      return new Char(text);
    case "_":
      return among(text, { "": null });
    case "?":
      return among(text, { t: true, f: false });
    default:
      return readComposite(tag, text);
  }
}

function readComposite(tag: string, rep: unknown): unknown {
  switch (tag) {
    case "set":
      return new Set(list(rep));
    case "list":
      return list(rep);
    case "cmap":
      return readPairs(list(rep));
    case "'":
      return rep;
    default:
      if (typeof rep !== "string" && /^[tmindzbuf:$rc_?]$/.test(tag)) throw new TypeError("no string");
      return new TaggedValue(tag, rep);
  }
}

function readPairs(pairs: readonly unknown[]): Map<unknown, unknown> {
  if (pairs.length % 2) throw new TypeError("a key without value");
  const map = new Map<unknown, unknown>();
  for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i], pairs[i + 1]);
  return map;
}

// A number where that counts exactly.
function readBigInt(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function readDate(text: string): Date {
  // RFC 3339; a Date has milliseconds only
  const [, whole, digits = "", zone] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i.exec(text) ?? [];
  return validDate(Date.parse(`${whole}${digits.slice(0, 4)}${zone}`));
}

function validDate(time: number): Date {
  if (Number.isNaN(new Date(time).getTime())) throw new TypeError("no date");
  return new Date(time);
}

function whole(text: string): string {
  if (!/^-?\d+$/.test(text) || text.length > LONGEST_NUMBER) throw new TypeError("no whole number");
  return text;
}

function among(text: string, values: Record<string, unknown>): unknown {
  if (!Object.hasOwn(values, text)) throw new TypeError(`not one of ${Object.keys(values).join(" ")}`);
  return values[text];
}

function list(rep: unknown): unknown[] {
  if (!Array.isArray(rep)) throw new TypeError("no array");
  return rep;
}

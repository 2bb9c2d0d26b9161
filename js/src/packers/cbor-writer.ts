import { PackError, TaggedValue, type Types, WRITE_DEPTH } from "../index.js";

/** The first three bits of a head. */
export const [UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** The standard tags, and 27 for all that has none: `[tag, rep]`. */
export const [DATE_TIME, SECONDS, BIG, NEGATIVE_BIG, DECIMAL, TAGGED, RATIO, URI, UUID_BYTES, SET, DATE] = [
  0, 1, 2, 3, 4, 27, 30, 32, 37, 258, 1004,
] as const;

const LISTS: Readonly<Record<string, number>> = { ratio: RATIO, set: SET };
const TEXTS: Readonly<Record<string, number>> = { t: DATE_TIME, r: URI, "time/date": DATE };
const MOST_DIGITS = 900; // of a decimal number that surely fits in the 3000 bits that are read
const SPARE = 16; // bytes; more than any head takes

const encoder = new TextEncoder();

/** Writes one value. */
export class CborWriter {
  readonly #types: Types;
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  constructor(types: Types) {
    this.#types = types;
  }

  /** The packed value. Throws a `PackError`. */
  write(value: unknown): Uint8Array<ArrayBuffer> {
    try {
      this.#write(value, 0);
    } catch (error) {
      throw PackError.within("value", error);
    }
    return this.#bytes.slice(0, this.#at);
  }

  // `depth` counts arrays, maps and tags.
  #write(value: unknown, depth: number): void {
    const reduced = this.#types.reduce(value);
    if (typeof reduced === "string") return this.#string(reduced);
    if (typeof reduced === "number") return this.#number(reduced);
    if (typeof reduced !== "object" || reduced === null) return this.#head(SIMPLE, reduced === null ? 22 : reduced ? 21 : 20);
    if (reduced instanceof Uint8Array) return this.#binary(reduced, BYTES);
    if (reduced instanceof TaggedValue) return this.#tagged(reduced, depth);
    if (Array.isArray(reduced)) return this.#array(reduced, depth);
    if (reduced instanceof Map) return this.#pairs([...reduced], depth);
    const entries = Object.entries(reduced).filter(([, inner]) => inner !== undefined); // as JSON does
    return this.#pairs(entries, depth);
  }

  #enter(depth: number): number {
    if (depth >= WRITE_DEPTH) throw new PackError(`more than ${WRITE_DEPTH} arrays, maps and tags within each other`);
    return depth + 1;
  }

  #array(items: readonly unknown[], depth: number): void {
    const inner = this.#enter(depth);
    this.#head(ARRAY, items.length);
    let i = 0;
    try {
      for (; i < items.length; i++) this.#write(items[i], inner);
    } catch (error) {
      throw PackError.within(`[${i}]`, error);
    }
  }

  #pairs(pairs: readonly (readonly [unknown, unknown])[], depth: number): void {
    const inner = this.#enter(depth);
    this.#head(MAP, pairs.length);
    let at: unknown;
    try {
      for (const [key, value] of pairs) {
        at = key;
        this.#write(key, inner);
        this.#write(value, inner);
      }
    } catch (error) {
      throw PackError.within(`.${String(at)}`, error);
    }
  }

  #tagged({ tag, rep }: TaggedValue, depth: number): void {
    if (typeof rep === "string" && this.#scalar(tag, rep)) return;
    const list = Array.isArray(rep) && Object.hasOwn(LISTS, tag) ? LISTS[tag] : undefined;
    this.#head(TAG, list ?? TAGGED);
    this.#array(list === undefined ? [tag, rep] : (rep as unknown[]), this.#enter(depth));
  }

  #scalar(tag: string, text: string): boolean {
    if (tag === "i" || tag === "n") this.#bigint(BigInt(text));
    else if (tag === "f") return this.#decimal(text);
    else if (tag === "u") {
      this.#head(TAG, UUID_BYTES);
      this.#binary(fromHex(text.replaceAll("-", "")), BYTES);
    } else if (Object.hasOwn(TEXTS, tag)) {
      this.#head(TAG, TEXTS[tag] as number);
      this.#string(text);
    } else return false;
    return true;
  }

  #decimal(text: string): boolean {
    const [, whole = "", fraction = "", exponent = "0"] = /^(-?\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? [];
    const power = Number(exponent) - fraction.length;
    const digits = whole + fraction;
    // What would come back as another text is written as text: NaN, -0, 1.
    if (!digits || digits.length > MOST_DIGITS || decimalText(BigInt(digits), power) !== text) return false;
    this.#head(TAG, DECIMAL);
    this.#head(ARRAY, 2);
    this.#number(power);
    this.#bigint(BigInt(digits));
    return true;
  }

  #number(number: number): void {
    if (!Number.isSafeInteger(number) || Object.is(number, -0)) {
      this.#reserve(SPARE);
      this.#bytes[this.#at] = 0xfb;
      this.#view.setFloat64(this.#at + 1, number);
      this.#at += 9;
    } else if (number < 0) this.#head(NEGATIVE, -1 - number);
    else this.#head(UNSIGNED, number);
  }

  #bigint(value: bigint): void {
    const sign = value < 0n ? 1 : 0;
    const amount = sign ? -1n - value : value;
    if (BigInt.asUintN(64, amount) === amount) return this.#head(UNSIGNED + sign, amount);
    this.#head(TAG, BIG + sign);
    const digits = amount.toString(16);
    this.#binary(fromHex(digits.padStart(digits.length + (digits.length % 2), "0")), BYTES);
  }

  #string(text: string): void {
    this.#binary(encoder.encode(text), TEXT);
  }

  #binary(bytes: Uint8Array, kind: number): void {
    this.#head(kind, bytes.length);
    this.#reserve(bytes.length + SPARE);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  // The kind, with its number in the same byte or in the 1, 2, 4 or 8 after it.
  #head(kind: number, number: number | bigint): void {
    this.#reserve(SPARE);
    const [at, first, view] = [this.#at, kind << 5, this.#view];
    if (number < 24) {
      view.setUint8(at, first + Number(number));
      this.#at += 1;
    } else if (number < 0x1_0000) {
      const wide = number >= 0x100;
      view.setUint8(at, first + (wide ? 25 : 24));
      if (wide) view.setUint16(at + 1, Number(number));
      else view.setUint8(at + 1, Number(number));
      this.#at += wide ? 3 : 2;
    } else if (number < 0x1_0000_0000) {
      view.setUint8(at, first + 26);
      view.setUint32(at + 1, Number(number));
      this.#at += 5;
    } else {
      view.setUint8(at, first + 27);
      view.setBigUint64(at + 1, BigInt(number));
      this.#at += 9;
    }
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#at + size));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** A decimal number as Python writes it: `1.50`, `1E+3`. */
export function decimalText(whole: bigint, power: number): string {
  const sign = whole < 0n ? "-" : "";
  const digits = String(whole).slice(sign.length);
  const before = digits.length + power; // digits before the point, if it is written without exponent
  if (power > 0 || before <= -6) {
    const rest = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${rest}E${before > 0 ? "+" : ""}${before - 1}`;
  }
  if (power === 0) return sign + digits;
  return before > 0 ? `${sign}${digits.slice(0, before)}.${digits.slice(before)}` : `${sign}0.${"0".repeat(-before)}${digits}`;
}

function fromHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

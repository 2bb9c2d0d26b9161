import { PackError, TaggedValue, type Types, WRITE_DEPTH } from "../index.js";

/** The most extensions within each other that Python reads. */
export const NESTED_EXTENSIONS = 16;

export const TIMESTAMP = -1;
export const TAGGED = 1;
export const UUID_BYTES = 2;
export const DECIMAL = 3;
export const BIG = 4;
export const SET = 5;
export const KEYWORD = 7;

const SPARE = 16; // bytes; more than any head takes

const encoder = new TextEncoder();

/** Writes one value. */
export class MsgpackWriter {
  readonly #types: Types;
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #extensions = 0; // within each other

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

  #write(value: unknown, depth: number): void {
    this.#reserve(SPARE);
    const reduced = this.#types.reduce(value);
    if (typeof reduced === "string") return this.#string(reduced);
    if (typeof reduced === "number") return this.#number(reduced);
    if (typeof reduced !== "object" || reduced === null) return void this.#room(reduced === null ? 0xc0 : reduced ? 0xc3 : 0xc2, 0);
    if (reduced instanceof Uint8Array) return this.#binary(reduced);
    if (depth === WRITE_DEPTH) throw new PackError(`more than ${WRITE_DEPTH} arrays and objects within each other`);
    if (Array.isArray(reduced)) return this.#array(reduced, depth + 1);
    if (reduced instanceof TaggedValue) return this.#tagged(reduced, depth + 1);
    if (reduced instanceof Map) return this.#map(reduced, depth + 1);
    const entries = Object.entries(reduced).filter(([, inner]) => inner !== undefined); // as JSON does
    return this.#pairs(entries, depth + 1);
  }

  #array(items: readonly unknown[], depth: number): void {
    this.#count(items.length, 0x90, 0xdc);
    let i = 0;
    try {
      for (; i < items.length; i++) this.#write(items[i], depth);
    } catch (error) {
      throw PackError.within(`[${i}]`, error);
    }
  }

  #map(map: Map<unknown, unknown>, depth: number): void {
    const simple = [...map.keys()].every((key) => {
      const reduced = this.#types.reduce(key);
      return typeof reduced !== "object" || reduced === null || reduced instanceof Uint8Array;
    });
    if (simple) this.#pairs([...map], depth);
    else this.#tagged(new TaggedValue("cmap", [...map].flat()), depth);
  }

  #pairs(pairs: readonly (readonly [unknown, unknown])[], depth: number): void {
    this.#count(pairs.length, 0x80, 0xde);
    let at: unknown;
    try {
      for (const [key, value] of pairs) {
        at = key;
        this.#write(key, depth);
        this.#write(value, depth);
      }
    } catch (error) {
      throw PackError.within(`.${String(at)}`, error);
    }
  }

  #tagged({ tag, rep }: TaggedValue, depth: number): void {
    if (typeof rep === "string" && tag.length === 1 && this.#scalar(tag, rep)) return;
    if (this.#extensions === NESTED_EXTENSIONS) {
      throw new PackError(`more than ${NESTED_EXTENSIONS} sets and tagged values within each other`);
    }
    this.#extensions += 1;
    const start = this.#at;
    const isSet = tag === "set" && Array.isArray(rep);
    this.#write(isSet ? rep : [tag, rep], depth);
    const payload = this.#bytes.slice(start, this.#at);
    this.#at = start;
    this.#extension(isSet ? SET : TAGGED, payload);
    this.#extensions -= 1;
  }

  #scalar(tag: string, text: string): boolean {
    switch (tag) {
      case "i":
      case "n":
        this.#bigint(BigInt(text));
        return true;
      case "t":
        this.#extension(TIMESTAMP, timestamp(text));
        return true;
      case "u":
        this.#extension(UUID_BYTES, Uint8Array.from(text.match(/[\da-f]{2}/g) ?? [], (pair) => parseInt(pair, 16)));
        return true;
      case "f":
        this.#extension(DECIMAL, encoder.encode(text));
        return true;
      case ":":
        this.#extension(KEYWORD, encoder.encode(text));
        return true;
      default:
        return false;
    }
  }

  #number(number: number): void {
    if (!Number.isSafeInteger(number) || Object.is(number, -0)) this.#view.setFloat64(this.#room(0xcb, 8), number);
    else if (number >= 0 && number < 0x80) this.#room(number, 0);
    else if (number >= -0x20 && number < 0) this.#room(0x100 + number, 0);
    else if (number > 0xffff_ffff || number < -0x8000_0000) this.#bigint(BigInt(number));
    else if (number > 0) this.#length(number, 0xcc);
    else if (number >= -0x80) this.#view.setInt8(this.#room(0xd0, 1), number);
    else if (number >= -0x8000) this.#view.setInt16(this.#room(0xd1, 2), number);
    else this.#view.setInt32(this.#room(0xd2, 4), number);
  }

  #bigint(value: bigint): void {
    const unsigned = BigInt.asUintN(64, value);
    if (unsigned === value) return this.#view.setBigUint64(this.#room(0xcf, 8), value);
    if (BigInt.asIntN(64, value) === value) return this.#view.setBigUint64(this.#room(0xd3, 8), unsigned);
    const bits = (value < 0n ? -value : value).toString(2).length;
    const bytes = new Uint8Array(Math.floor(bits / 8) + 1); // two's complement, big-endian
    for (let i = bytes.length - 1; i >= 0; i--, value >>= 8n) bytes[i] = Number(value & 0xffn);
    this.#extension(BIG, bytes);
  }

  #string(text: string): void {
    if (text.length < 32 && this.#ascii(text)) return;
    const bytes = encoder.encode(text);
    if (bytes.length < 32) this.#room(0xa0 + bytes.length, 0);
    else this.#length(bytes.length, 0xd9);
    this.#put(bytes);
  }

  // Short and plain text, as most keys are, byte by byte: that is faster than to ask the encoder.
  #ascii(text: string): boolean {
    this.#reserve(1 + text.length + SPARE);
    const start = this.#at;
    this.#room(0xa0 + text.length, 0);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        this.#at = start;
        return false;
      }
      this.#bytes[this.#at++] = code;
    }
    return true;
  }

  #binary(bytes: Uint8Array): void {
    this.#length(bytes.length, 0xc4);
    this.#put(bytes);
  }

  #extension(code: number, data: Uint8Array): void {
    const fixed = [1, 2, 4, 8, 16].indexOf(data.length);
    if (fixed >= 0) this.#room(0xd4 + fixed, 0);
    else this.#length(data.length, 0xc7);
    this.#room(code & 0xff, 0);
    this.#put(data);
  }

  // An array's or map's length: in the head itself, or in 2 or 4 bytes after it.
  #count(count: number, small: number, head: number): void {
    if (count < 16) this.#room(small + count, 0);
    else if (count < 0x1_0000) this.#view.setUint16(this.#room(head, 2), count);
    else this.#view.setUint32(this.#room(head + 1, 4), count);
  }

  // A number in 1, 2 or 4 bytes; `head` says which of them.
  #length(number: number, head: number): void {
    if (number < 0x100) this.#view.setUint8(this.#room(head, 1), number);
    else if (number < 0x1_0000) this.#view.setUint16(this.#room(head + 1, 2), number);
    else this.#view.setUint32(this.#room(head + 2, 4), number);
  }

  #put(bytes: Uint8Array): void {
    this.#reserve(bytes.length + SPARE);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  // Writes a head and returns where the `size` bytes after it begin.
  #room(head: number, size: number): number {
    this.#bytes[this.#at] = head;
    this.#at += 1 + size;
    return this.#at - size;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#at + size));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

// The smallest of the three forms: seconds in 32 bit, with nanoseconds in 64 bit, or in 96.
function timestamp(text: string): Uint8Array {
  const time = Date.parse(text);
  const seconds = Math.floor(time / 1000);
  const nanoseconds = (time - seconds * 1000) * 1_000_000;
  const view = new DataView(new ArrayBuffer(12));
  view.setUint32(0, nanoseconds);
  view.setBigInt64(4, BigInt(seconds));
  if (seconds < 0 || seconds >= 2 ** 34) return new Uint8Array(view.buffer);
  view.setBigUint64(4, (BigInt(nanoseconds) << 34n) | BigInt(seconds));
  return new Uint8Array(view.buffer, nanoseconds || seconds >= 2 ** 32 ? 4 : 8);
}

import { READ_DEPTH, type Types, UnpackError, type Wire } from "../index.js";
import * as form from "./cbor-writer.js";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const LONGEST_BIG = 376; // bytes; 3000 bits
const TAGS_AT_THE_END = 6; // what a scalar takes beside the arrays and maps it is in: tags and their arrays
const INDEFINITE = -1;
const BREAK = 0xff;

/** Reads one value from a frame. A length that lies finds its end too soon; nothing is allocated before that. */
export class CborReader {
  readonly #types: Types;
  #bytes: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(this.#bytes.buffer);
  #at = 0;

  constructor(types: Types) {
    this.#types = types;
  }

  /** Throws an `UnpackError`. */
  read(wire: Wire): unknown {
    if (typeof wire === "string") throw new UnpackError("not CBOR: a text frame");
    this.#bytes = wire;
    this.#view = new DataView(wire.buffer, wire.byteOffset, wire.byteLength);
    try {
      // The tag 55799, "this is CBOR", means nothing and may stand at the beginning.
      if (wire.length > 3 && this.#view.getUint16(0) === 0xd9d9 && wire[2] === 0xf7) this.#at = 3;
      const value = this.#value(0);
      if (this.#at < wire.length) throw new UnpackError(`${wire.length - this.#at} bytes too many`);
      return value;
    } catch (error) {
      if (error instanceof UnpackError) throw error;
      throw new UnpackError(`not CBOR: ${(error as Error).message}`, { cause: error });
    }
  }

  #value(depth: number): unknown {
    if (depth > READ_DEPTH + TAGS_AT_THE_END) throw new UnpackError("too many arrays, maps and tags within each other");
    const head = this.#view.getUint8(this.#skip(1));
    const kind = head >> 5;
    if (kind === form.SIMPLE) return this.#simple(head & 0x1f);
    const number = this.#number(head & 0x1f);
    const size = Number(number);
    if (size === INDEFINITE && (kind < form.BYTES || kind === form.TAG)) throw new UnpackError("not CBOR: an item without end");
    switch (kind) {
      case form.UNSIGNED:
        return exact(number);
      case form.NEGATIVE:
        return exact(typeof number === "bigint" ? -1n - number : -1 - number);
      case form.BYTES:
        return size === INDEFINITE ? joined(this.#chunks(kind)) : this.#take(size).slice();
      case form.TEXT:
        if (size !== INDEFINITE) return this.#text(size);
        return this.#chunks(kind).map((chunk) => decoder.decode(chunk)).join("");
      case form.ARRAY:
        return this.#array(size, depth + 1);
      case form.MAP:
        return this.#map(size, depth + 1);
      default:
        return this.#tagged(size, this.#value(depth + 1));
    }
  }

  #simple(info: number): unknown {
    switch (info) {
      case 20:
      case 21:
        return info === 21;
      case 22:
      case 23: // undefined
        return null;
      case 25:
        return half(this.#view.getUint16(this.#skip(2)));
      case 26:
        return this.#view.getFloat32(this.#skip(4));
      case 27:
        return this.#view.getFloat64(this.#skip(8));
      default:
        throw new UnpackError(`the CBOR simple value ${info} means nothing here`);
    }
  }

  #number(info: number): number | bigint {
    if (info < 24) return info;
    switch (info) {
      case 24:
        return this.#view.getUint8(this.#skip(1));
      case 25:
        return this.#view.getUint16(this.#skip(2));
      case 26:
        return this.#view.getUint32(this.#skip(4));
      case 27:
        return this.#view.getBigUint64(this.#skip(8));
      case 31:
        return INDEFINITE;
      default:
        throw new UnpackError(`not CBOR: the length ${info} means nothing`);
    }
  }

  // Whether one more of `count` items comes, or, if they are not counted, one before the break.
  #more(read: number, count: number): boolean {
    if (count !== INDEFINITE) return read < count;
    if (this.#view.getUint8(this.#at) !== BREAK) return true;
    this.#at += 1;
    return false;
  }

  #array(count: number, depth: number): unknown[] {
    const items: unknown[] = [];
    while (this.#more(items.length, count)) items.push(this.#value(depth));
    return items;
  }

  #map(count: number, depth: number): unknown {
    const entries: [unknown, unknown][] = [];
    while (this.#more(entries.length, count)) entries.push([this.#value(depth), this.#value(depth)]);
    const plain = entries.every(([key]) => typeof key === "string");
    return plain ? Object.fromEntries(entries as [string, unknown][]) : new Map(entries); // "__proto__" is a key like any
  }

  #chunks(kind: number): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    while (this.#more(0, INDEFINITE)) {
      const head = this.#view.getUint8(this.#skip(1));
      const size = Number(this.#number(head & 0x1f));
      if (head >> 5 !== kind || size === INDEFINITE) throw new UnpackError("not CBOR: a string of other things");
      chunks.push(this.#take(size));
    }
    return chunks;
  }

  #text(length: number): string {
    const bytes = this.#take(length);
    if (length >= 32 || bytes.some((byte) => byte > 0x7f)) return decoder.decode(bytes);
    return String.fromCharCode(...bytes); // short and plain text: faster than to ask the decoder
  }

  #tagged(tag: number, rep: unknown): unknown {
    switch (tag) {
      case form.DATE_TIME:
      case form.URI:
      case form.DATE:
        if (typeof rep !== "string") break;
        return this.#types.read(tag === form.DATE ? "time/date" : tag === form.URI ? "r" : "t", rep);
      case form.SECONDS:
        if (typeof rep !== "number") break;
        return this.#types.read("t", new Date(Math.round(rep * 1000)).toISOString());
      case form.BIG:
      case form.NEGATIVE_BIG: {
        if (!(rep instanceof Uint8Array) || rep.length > LONGEST_BIG) break;
        const amount = BigInt(`0x0${toHex(rep)}`);
        return this.#types.read("n", String(tag === form.BIG ? amount : -1n - amount));
      }
      case form.DECIMAL: {
        const [power, whole] = Array.isArray(rep) ? rep : [];
        if (!Number.isSafeInteger(power) || !isWhole(whole)) break;
        return this.#types.read("f", form.decimalText(BigInt(whole), power));
      }
      case form.TAGGED:
        if (!Array.isArray(rep) || rep.length !== 2 || typeof rep[0] !== "string") break;
        return this.#types.read(rep[0], rep[1]);
      case form.RATIO:
        return this.#types.read("ratio", rep);
      case form.UUID_BYTES:
        if (!(rep instanceof Uint8Array)) break;
        return this.#types.read("u", toHex(rep).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"));
      case form.SET:
        return this.#types.read("set", rep);
      default:
        throw new UnpackError(`CBOR tag ${tag} means nothing here`);
    }
    throw new UnpackError(`what CBOR tag ${tag} holds is none`);
  }

  #take(size: number): Uint8Array {
    const at = this.#skip(size);
    return this.#bytes.subarray(at, at + size);
  }

  #skip(size: number): number {
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new UnpackError("not CBOR: it ends too soon");
    return at;
  }
}

function exact(value: number | bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function isWhole(value: unknown): value is number | bigint {
  return typeof value === "bigint" || Number.isSafeInteger(value);
}

// A float of 16 bits: one for the sign, five for the exponent, ten.
function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  let size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  if (exponent === 31) size = fraction ? NaN : Infinity;
  return bits & 0x8000 ? -size : size;
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function toHex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

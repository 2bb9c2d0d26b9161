import { READ_DEPTH, type Types, UnpackError, type Wire } from "../index.js";
import { BIG, DECIMAL, KEYWORD, NESTED_EXTENSIONS, SET, TAGGED, TIMESTAMP, UUID_BYTES } from "./msgpack-writer.js";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const LONGEST_BIG = 376; // bytes; 3000 bits

/** Reads one value from a frame. A length that lies finds its end too soon; nothing is allocated before that. */
export class MsgpackReader {
  readonly #types: Types;
  #bytes: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(this.#bytes.buffer);
  #at = 0;
  #extensions = 0; // within each other

  constructor(types: Types) {
    this.#types = types;
  }

  /** Throws an `UnpackError`. */
  read(wire: Wire): unknown {
    if (typeof wire === "string") throw new UnpackError("not MessagePack: a text frame");
    try {
      return this.#whole(wire, 0);
    } catch (error) {
      if (error instanceof UnpackError) throw error;
      throw new UnpackError(`not MessagePack: ${(error as Error).message}`, { cause: error });
    }
  }

  #whole(bytes: Uint8Array, depth: number): unknown {
    const [outer, at] = [this.#bytes, this.#at];
    this.#enter(bytes, 0);
    const value = this.#value(depth);
    if (this.#at < bytes.length) throw new UnpackError(`${bytes.length - this.#at} bytes too many`);
    this.#enter(outer, at);
    return value;
  }

  #enter(bytes: Uint8Array, at: number): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  #value(depth: number): unknown {
    if (depth > READ_DEPTH) throw new UnpackError(`more than ${READ_DEPTH} arrays and objects within each other`);
    const head = this.#view.getUint8(this.#skip(1));
    if (head < 0x80) return head;
    if (head < 0x90) return this.#map(head & 0x0f, depth + 1);
    if (head < 0xa0) return this.#array(head & 0x0f, depth + 1);
    if (head < 0xc0) return this.#string(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return head === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#length(head - 0xc4)).slice();
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#length(head - 0xc7), depth + 1);
      case 0xca:
        return this.#view.getFloat32(this.#skip(4));
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#length(head - 0xcc);
      case 0xcf:
        return exact(this.#view.getBigUint64(this.#skip(8)));
      case 0xd0:
        return this.#view.getInt8(this.#skip(1));
      case 0xd1:
        return this.#view.getInt16(this.#skip(2));
      case 0xd2:
        return this.#view.getInt32(this.#skip(4));
      case 0xd3:
        return exact(this.#view.getBigInt64(this.#skip(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#length(head - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#length(head - 0xdb), depth + 1);
      case 0xde:
      case 0xdf:
        return this.#map(this.#length(head - 0xdd), depth + 1);
      case 0xc1:
        throw new UnpackError("not MessagePack: the byte c1 means nothing");
      default:
        return this.#extension(1 << (head - 0xd4), depth + 1);
    }
  }

  #array(count: number, depth: number): unknown[] {
    const items: unknown[] = [];
    while (count-- > 0) items.push(this.#value(depth));
    return items;
  }

  #map(count: number, depth: number): unknown {
    const entries: [unknown, unknown][] = [];
    while (count-- > 0) entries.push([this.#value(depth), this.#value(depth)]);
    const plain = entries.every(([key]) => typeof key === "string");
    return plain ? Object.fromEntries(entries as [string, unknown][]) : new Map(entries); // "__proto__" is a key like any
  }

  #string(length: number): string {
    const at = this.#skip(length);
    if (length >= 32) return decoder.decode(this.#bytes.subarray(at, at + length));
    let text = "";
    for (let i = at; i < at + length; i++) {
      const byte = this.#bytes[i] as number;
      if (byte > 0x7f) return decoder.decode(this.#bytes.subarray(at, at + length));
      text += String.fromCharCode(byte); // short and plain text: faster than to ask the decoder
    }
    return text;
  }

  #extension(size: number, depth: number): unknown {
    const code = this.#view.getInt8(this.#skip(1));
    const data = this.#take(size);
    switch (code) {
      case TIMESTAMP:
        return this.#types.read("t", timestamp(data));
      case UUID_BYTES:
        return this.#types.read("u", uuid(data));
      case DECIMAL:
        return this.#types.read("f", decoder.decode(data));
      case BIG:
        return this.#types.read("n", String(big(data)));
      case KEYWORD:
        return this.#types.read(":", decoder.decode(data));
      case TAGGED:
      case SET: {
        if (++this.#extensions > NESTED_EXTENSIONS) throw new UnpackError("too many extensions within each other");
        const value = this.#whole(data, depth);
        this.#extensions -= 1;
        if (code === SET) return this.#types.read("set", value);
        if (Array.isArray(value) && value.length === 2 && typeof value[0] === "string") {
          return this.#types.read(value[0], value[1]);
        }
        throw new UnpackError("extension 1 holds an array of tag and value");
      }
      default:
        throw new UnpackError(`extension ${code} means nothing here`);
    }
  }

  // A number of 1, 2 or 4 bytes.
  #length(which: number): number {
    if (which === 0) return this.#view.getUint8(this.#skip(1));
    return which === 1 ? this.#view.getUint16(this.#skip(2)) : this.#view.getUint32(this.#skip(4));
  }

  #take(size: number): Uint8Array {
    const at = this.#skip(size);
    return this.#bytes.subarray(at, at + size);
  }

  #skip(size: number): number {
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new UnpackError("not MessagePack: it ends too soon");
    return at;
  }
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

// Read as text, because that is what the types know.
function timestamp(data: Uint8Array): string {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let [seconds, nanoseconds] = [0, 0];
  if (data.length === 4) seconds = view.getUint32(0);
  else if (data.length === 8) {
    seconds = (view.getUint32(0) & 3) * 2 ** 32 + view.getUint32(4);
    nanoseconds = view.getUint32(0) >>> 2;
  } else if (data.length === 12) {
    seconds = Number(view.getBigInt64(4));
    nanoseconds = view.getUint32(0);
  } else throw new UnpackError(`a timestamp has 4, 8 or 12 bytes, not ${data.length}`);
  if (nanoseconds >= 1e9) throw new UnpackError("a timestamp of more than a second within a second");
  return new Date(seconds * 1000 + Math.floor(nanoseconds / 1e6)).toISOString();
}

function uuid(data: Uint8Array): string {
  const hex = Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function big(data: Uint8Array): bigint {
  if (data.length === 0 || data.length > LONGEST_BIG) throw new UnpackError("a whole number of 0 or more than 3000 bits");
  const hex = Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return BigInt.asIntN(8 * data.length, BigInt(`0x${hex}`));
}

// Transit's verbose form: JSON in which strings that begin with ~ are more than strings. What needs no types is JSON as is.

import { UnpackError } from "../errors.js";
import { TaggedValue } from "../values.js";
import { checkDepth, JsonTree, parseJson } from "./json.js";
import type { Wire } from "./packer.js";
import type { Types } from "./types.js";

/** Whether a string begins with what Transit gives a meaning to: ~ ^ ` */
function isMarked(text: string): boolean {
  const first = text.charCodeAt(0);
  return first === 0x7e || first === 0x5e || first === 0x60;
}

/** Makes of a value the tree of its Transit form. */
export class TransitTree extends JsonTree {
  protected override string(text: string): string {
    return isMarked(text) ? `~${text}` : text;
  }

  protected override number(number: number): unknown {
    if (Number.isSafeInteger(number) ? !Object.is(number, -0) : Number.isFinite(number) && !Number.isInteger(number)) {
      return number;
    }
    if (Number.isFinite(number)) return `~d${Object.is(number, -0) ? "-0.0" : number}`; // JSON would make it an integer
    return number < 0 ? "~z-INF" : number > 0 ? "~zINF" : "~zNaN";
  }

  protected override bytes(bytes: Uint8Array): string {
    return `~b${base64(bytes)}`;
  }

  protected override map(map: Map<unknown, unknown>, depth: number): unknown {
    const pairs = this.array([...map].flat(), depth);
    const keys = pairs.filter((_, i) => i % 2 === 0).map(asKey);
    if (keys.includes(null)) return { "~#cmap": pairs };
    return Object.fromEntries(keys.map((key, i) => [key, pairs[2 * i + 1]]));
  }

  protected override tagged({ tag, rep }: TaggedValue, depth: number): unknown {
    if (tag.length === 1 && typeof rep === "string") return `~${tag}${rep}`;
    return { [`~#${tag}`]: this.write(rep, depth) };
  }
}

/** How a scalar is written as a key; null: it is none. */
function asKey(written: unknown): string | null {
  switch (typeof written) {
    case "string":
      return written;
    case "number":
      return `~${Number.isInteger(written) ? "i" : "d"}${written}`;
    case "boolean":
      return written ? "~?t" : "~?f";
    default:
      return written === null ? "~_" : null;
  }
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

/** Reads Transit's verbose form. Throws an `UnpackError`. */
export function readTransit(wire: Wire, types: Types): unknown {
  return read(parseJson(wire), types, 0);
}

function read(plain: unknown, types: Types, depth: number): unknown {
  if (typeof plain === "string") return isMarked(plain) ? readString(plain, types) : plain;
  if (typeof plain !== "object" || plain === null) return plain;
  checkDepth(depth + 1);
  return Array.isArray(plain)
    ? readArray(plain, types, depth + 1)
    : readObject(plain as Record<string, unknown>, types, depth + 1);
}

function readString(text: string, types: Types): unknown {
  const tag = text[1];
  if (text[0] !== "~" || tag === undefined || tag === "#") {
    throw new UnpackError(`${JSON.stringify(text)} is not of Transit's verbose form`);
  }
  return isMarked(tag) ? text.slice(1) : types.read(tag, text.slice(2));
}

function readArray(items: unknown[], types: Types, depth: number): unknown {
  const [first] = items;
  if (items.length === 2 && isTag(first)) return types.read(first.slice(2), read(items[1], types, depth));
  for (let i = 0; i < items.length; i++) items[i] = read(items[i], types, depth);
  return items;
}

function readObject(object: Record<string, unknown>, types: Types, depth: number): unknown {
  const keys = Object.keys(object);
  const [first] = keys;
  if (keys.length === 1 && isTag(first)) return types.read(first.slice(2), read(object[first], types, depth));
  for (const key of keys) object[key] = read(object[key], types, depth); // what is an own property stays one
  if (!keys.some(isMarked)) return object;
  const entries = keys.map((key) => [read(key, types, depth), object[key]] as const);
  const plain = entries.every(([key]) => typeof key === "string");
  return plain ? Object.fromEntries(entries as [string, unknown][]) : new Map(entries);
}

function isTag(plain: unknown): plain is string {
  return typeof plain === "string" && plain.startsWith("~#");
}

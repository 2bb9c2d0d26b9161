// Transit's verbose form: JSON in which strings that begin with ~ are more than strings. What needs no types is JSON as is.

import { UnpackError } from "../errors.js";
import { TaggedValue } from "../values.js";
import { checkDepth, JsonTree, parseJson } from "./json.js";
import { asKey, base64, isMarked, numberText } from "./marks.js";
import type { Wire } from "./packer.js";
import type { Types } from "./types.js";

/** Makes of a value the tree of its Transit form. */
export class TransitTree extends JsonTree {
  protected override string(text: string): string {
    return isMarked(text) ? `~${text}` : text;
  }

  protected override number(number: number): unknown {
    return numberText(number);
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

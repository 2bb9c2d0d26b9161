import { json, type Types, UnpackError, type Wire } from "../index.js";
import { codeOf, isFull, isLong, MAP } from "./codes.js";
import { isMarked } from "./marks.js";

/** A string that says what the next item of its array is. */
class Tag {
  constructor(readonly name: string) {}
}

/** Reads one value of Transit in JSON, with a cache or without. */
export class CachingReader {
  readonly #types: Types;
  readonly #known = new Map<string, unknown>();

  constructor(types: Types) {
    this.#types = types;
  }

  /** Throws an `UnpackError`. */
  whole(wire: Wire): unknown {
    return this.#value(json.unpack(wire)); // which is no deeper than may be
  }

  #value(plain: unknown): unknown {
    if (typeof plain === "string") return isMarked(plain) ? this.#text(plain, false) : plain;
    if (typeof plain !== "object" || plain === null) return plain;
    if (Array.isArray(plain)) return this.#array(plain);
    const entries = Object.entries(plain);
    const [first] = entries;
    if (entries.length === 1 && first?.[0].startsWith("~#")) return this.#composite(first[0], first[1]);
    return this.#map(entries.flat());
  }

  #array(items: readonly unknown[]): unknown {
    const [first, rep] = items;
    if (first === MAP) return this.#map(items.slice(1));
    if (typeof first === "string" && (first.startsWith("~#") || this.#known.get(first) instanceof Tag)) {
      if (items.length !== 2) throw new UnpackError(`the tag ${first} tags one thing, not ${items.length - 1}`);
      return this.#composite(first, rep);
    }
    return items.map((inner) => this.#value(inner));
  }

  #map(pairs: readonly unknown[]): unknown {
    if (pairs.length % 2) throw new UnpackError("a map needs a value for each key");
    const entries: [unknown, unknown][] = [];
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i];
      let key = name;
      if (typeof name !== "string") key = this.#value(name);
      else if (isMarked(name)) key = this.#text(name, true);
      else if (isLong(name)) this.#remember(name);
      entries.push([key, this.#value(pairs[i + 1])]);
    }
    const plain = entries.every(([key]) => typeof key === "string");
    const map = plain ? Object.fromEntries(entries as [string, unknown][]) : new Map(entries);
    const size = map instanceof Map ? map.size : Object.keys(map).length;
    if (size < entries.length) throw new UnpackError("a map has a key twice");
    return map;
  }

  #composite(mark: string, rep: unknown): unknown {
    const { name } = this.#marked(mark, false) as Tag;
    return this.#types.read(name, this.#value(rep));
  }

  #text(text: string, key: boolean): unknown {
    const value = this.#marked(text, key);
    if (value instanceof Tag) throw new UnpackError(`the tag ${value.name} stands where there is nothing to tag`);
    return value;
  }

  #marked(text: string, key: boolean): unknown {
    if (text.startsWith("^")) {
      if (!this.#known.has(text)) throw new UnpackError(`${text} begins like a code of the cache, and stands for nothing`);
      return this.#known.get(text);
    }
    const value = text.startsWith("~#") ? new Tag(text.slice(2)) : this.#scalar(text);
    if (isLong(text) && (key || /^~[:$#]/.test(text))) this.#remember(value);
    return value;
  }

  #scalar(text: string): unknown {
    const tag = text[1];
    if (text[0] !== "~" || tag === undefined) throw new UnpackError(`${JSON.stringify(text)} begins like a tag, and is none`);
    return isMarked(tag) ? text.slice(1) : this.#types.read(tag, text.slice(2));
  }

  #remember(value: unknown): void {
    if (isFull(this.#known.size)) this.#known.clear();
    this.#known.set(codeOf(this.#known.size), value);
  }
}

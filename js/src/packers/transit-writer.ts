import { PackError, TaggedValue, type Types, WRITE_DEPTH } from "../index.js";
import { codeOf, isFull, isLong, MAP } from "./codes.js";
import { asKey, base64, isMarked, numberText } from "./marks.js";

/** Makes of one value the tree of its Transit form with a cache. */
export class CachingWriter {
  readonly #types: Types;
  readonly #codes = new Map<string, string>();

  constructor(types: Types) {
    this.#types = types;
  }

  /** The tree; a scalar alone is quoted, be it an array with a tag of one character. Throws a `PackError`. */
  whole(value: unknown): unknown {
    let written: unknown;
    try {
      written = this.#value(value, 0);
    } catch (error) {
      throw PackError.within("value", error);
    }
    if (!Array.isArray(written)) return ["~#'", written];
    const [first] = written as unknown[];
    return written.length === 2 && typeof first === "string" && /^~#.$/su.test(first) ? ["~#'", written] : written;
  }

  #value(value: unknown, depth: number): unknown {
    const reduced = this.#types.reduce(value);
    if (typeof reduced === "string") return isMarked(reduced) ? `~${reduced}` : reduced;
    if (typeof reduced === "number") return numberText(reduced);
    if (typeof reduced !== "object" || reduced === null) return reduced;
    if (reduced instanceof Uint8Array) return `~b${base64(reduced)}`;
    if (depth === WRITE_DEPTH) throw new PackError(`more than ${WRITE_DEPTH} arrays and objects within each other`);
    if (Array.isArray(reduced)) return this.#array(reduced, depth + 1);
    if (reduced instanceof TaggedValue) return this.#tagged(reduced, depth + 1);
    if (reduced instanceof Map) return this.#map([...reduced], depth + 1);
    return this.#map(Object.entries(reduced).filter(([, inner]) => inner !== undefined), depth + 1);
  }

  #array(items: readonly unknown[], depth: number): unknown[] {
    return Array.from(items, (inner, at) => this.#within(`[${at}]`, inner, depth));
  }

  #within(where: string, value: unknown, depth: number): unknown {
    try {
      return this.#value(value, depth);
    } catch (error) {
      throw PackError.within(where, error);
    }
  }

  #tagged(value: TaggedValue, depth: number): unknown {
    const { tag, rep } = value;
    if (isScalar(value)) return this.#scalar(scalarText(value));
    const parts = tag === "ratio" && Array.isArray(rep) ? rep.map(asRatioPart) : rep;
    return [this.#cached(`~#${tag}`), this.#value(parts, depth)];
  }

  #map(entries: readonly (readonly [unknown, unknown])[], depth: number): unknown[] {
    const names = entries.map(([key]) => this.#name(key));
    if (names.includes(null)) return [this.#cached("~#cmap"), this.#array(entries.flat(), depth)];
    if (new Set(names).size < names.length) throw new PackError("two keys are written alike");
    const written: unknown[] = [MAP];
    names.forEach((name, at) => {
      const [key, inner] = entries[at] as readonly [unknown, unknown];
      written.push(this.#cached(name as string), this.#within(`.${String(key)}`, inner, depth));
    });
    return written;
  }

  /** A key as it stands in a map; null if it is nothing that can. */
  #name(key: unknown): string | null {
    const reduced = this.#types.reduce(key);
    if (reduced instanceof TaggedValue) return isScalar(reduced) ? scalarText(reduced) : null;
    if (reduced instanceof Uint8Array) return `~b${base64(reduced)}`;
    if (typeof reduced === "string") return isMarked(reduced) ? `~${reduced}` : reduced;
    return asKey(typeof reduced === "number" ? numberText(reduced) : reduced);
  }

  #scalar(text: string): string {
    return /^~[:$#]/.test(text) ? this.#cached(text) : text;
  }

  #cached(text: string): string {
    const code = this.#codes.get(text);
    if (code !== undefined) return code;
    if (isLong(text)) {
      if (isFull(this.#codes.size)) this.#codes.clear();
      this.#codes.set(text, codeOf(this.#codes.size));
    }
    return text;
  }
}

function isScalar({ tag, rep }: TaggedValue): boolean {
  return tag.length === 1 && typeof rep === "string";
}

// A moment by its milliseconds, unless it is finer than those.
function scalarText({ tag, rep }: TaggedValue): string {
  const time = tag === "t" && /^[^.]*(\.\d{3}0*)?(Z|[+-]\d\d:\d\d)$/i.test(String(rep)) ? Date.parse(String(rep)) : NaN;
  return Number.isNaN(time) ? `~${tag}${String(rep)}` : `~m${time}`;
}

function asRatioPart(part: unknown): unknown {
  return Number.isSafeInteger(part) ? new TaggedValue("n", String(part)) : part;
}

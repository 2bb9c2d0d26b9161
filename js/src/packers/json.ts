import { PackError, UnpackError } from "../errors.js";
import { TaggedValue } from "../values.js";
import { READ_DEPTH, WRITE_DEPTH, type Packer, type Wire } from "./packer.js";
import { Types, type TypeHandler } from "./types.js";

/** Makes of a value the tree that `JSON.stringify` writes. Throws a `PackError`. */
export class JsonTree {
  constructor(readonly types: Types) {}

  /** The tree of `value`; the value itself if that can stay. */
  whole(value: unknown): unknown {
    try {
      return this.write(value, 0);
    } catch (error) {
      throw PackError.within("value", error);
    }
  }

  protected write(value: unknown, depth: number): unknown {
    const reduced = this.types.reduce(value);
    if (typeof reduced === "string") return this.string(reduced);
    if (typeof reduced === "number") return this.number(reduced);
    if (typeof reduced !== "object" || reduced === null) return reduced;
    if (depth === WRITE_DEPTH) throw new PackError(`more than ${WRITE_DEPTH} arrays and objects within each other`);
    if (Array.isArray(reduced)) return this.array(reduced, depth + 1);
    if (reduced instanceof TaggedValue) return this.tagged(reduced, depth + 1);
    if (reduced instanceof Uint8Array) return this.bytes(reduced);
    if (reduced instanceof Map) return this.map(reduced, depth + 1);
    return this.object(reduced, depth + 1);
  }

  protected string(text: string): string {
    return text;
  }

  protected number(number: number): unknown {
    if (!Number.isFinite(number)) throw new PackError(`${number} cannot be written as JSON`);
    return number;
  }

  protected bytes(_bytes: Uint8Array): unknown {
    throw new PackError("bytes cannot be written as JSON");
  }

  protected map(_map: Map<unknown, unknown>, _depth: number): unknown {
    throw new PackError("a Map cannot be written as JSON");
  }

  protected tagged({ tag, rep }: TaggedValue, depth: number): unknown {
    if (tag === "i" || tag === "n") throw new PackError("a bigint beyond 2^53 cannot be written as JSON");
    return this.write(rep, depth);
  }

  protected array(items: unknown[], depth: number): unknown[] {
    let tree = items;
    let i = 0;
    try {
      for (; i < items.length; i++) {
        const written = this.write(items[i], depth);
        if (written === items[i]) continue;
        if (tree === items) tree = [...items];
        tree[i] = written;
      }
    } catch (error) {
      throw PackError.within(`[${i}]`, error);
    }
    return tree;
  }

  protected object(object: Record<string, unknown>, depth: number): Record<string, unknown> {
    let tree = object;
    let at = "";
    try {
      for (const key of Object.keys(object)) {
        at = key;
        const name = this.string(this.types.reduce(key) as string);
        const written = object[key] === undefined ? undefined : this.write(object[key], depth);
        if (written === object[key] && name === key) continue;
        if (tree === object) tree = { ...object }; // has each key as its own, __proto__ too
        if (name !== key) delete tree[key];
        tree[name] = written;
      }
    } catch (error) {
      throw PackError.within(`.${at}`, error);
    }
    return tree;
  }
}

/** Reads JSON that is not too deep. Throws an `UnpackError`. */
export function parseJson(wire: Wire): unknown {
  try {
    return JSON.parse(typeof wire === "string" ? wire : new TextDecoder("utf-8", { fatal: true }).decode(wire));
  } catch (error) {
    throw new UnpackError(`not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** Throws an `UnpackError` if this is a level too deep. */
export function checkDepth(depth: number): void {
  if (depth > READ_DEPTH) throw new UnpackError(`more than ${READ_DEPTH} arrays and objects within each other`);
}

class JsonPacker implements Packer {
  readonly name = "json";
  readonly #tree: JsonTree;

  constructor(types: readonly TypeHandler[] = []) {
    this.#tree = new JsonTree(new Types(types));
  }

  pack(value: unknown): string {
    return JSON.stringify(this.#tree.whole(value));
  }

  unpack(wire: Wire): unknown {
    const value = parseJson(wire);
    checkAll(value, 0);
    return value;
  }

  withTypes(types: readonly TypeHandler[]): Packer {
    return new JsonPacker(types);
  }
}

function checkAll(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  checkDepth(depth + 1);
  for (const inner of Object.values(value)) checkAll(inner, depth + 1);
}

/**
 * JSON, which everything reads. It has no types: a Date, UUID, Decimal or bigint within 2^53 is written as plain as it
 * can be and comes back as that, a Set as an array, -0 as 0.
 */
export const json: Packer = new JsonPacker();

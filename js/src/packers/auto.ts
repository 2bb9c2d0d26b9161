import { UnpackError } from "../errors.js";
import type { Packer, Wire } from "./packer.js";
import { Types, type TypeHandler } from "./types.js";
import { readTransit, TransitTree } from "./verbose.js";

const SMALL = 1024; // below this many characters MessagePack saves most

export interface AutoOptions {
  /** The `msgpack` of `sente-client/msgpack`, for a smaller and binary form. */
  msgpack?: Packer;
}

/** JSON where that says all, else Transit; MessagePack, if there is one, for what is small or has types. */
class AutoPacker implements Packer {
  readonly name = "auto";
  readonly accepts: readonly string[];
  readonly #types: readonly TypeHandler[];
  readonly #known: Types;
  readonly #tree: TransitTree;
  readonly #binary: Packer | undefined;
  readonly #writesBinary: boolean;

  constructor(binary: Packer | undefined, types: readonly TypeHandler[] = [], writesBinary = binary !== undefined) {
    this.accepts = binary ? [binary.name] : [];
    this.#types = types;
    this.#known = new Types(types);
    this.#tree = new TransitTree(this.#known);
    this.#binary = binary;
    this.#writesBinary = writesBinary;
  }

  pack(value: unknown): Wire {
    const tree = this.#tree.whole(value);
    const text = JSON.stringify(tree);
    const binary = this.#writesBinary && (tree !== value || text.length < SMALL) ? this.#binary : undefined;
    return binary?.pack(value) ?? text;
  }

  unpack(wire: Wire): unknown {
    if (typeof wire === "string") return readTransit(wire, this.#known);
    if (this.#binary) return this.#binary.unpack(wire);
    throw new UnpackError("a binary frame, and this client reads text only");
  }

  forPeer(accepts: readonly string[]): Packer {
    return new AutoPacker(this.#binary, this.#types, this.accepts.some((form) => accepts.includes(form)));
  }

  withTypes(types: readonly TypeHandler[]): Packer {
    return new AutoPacker(this.#binary?.withTypes?.(types) ?? this.#binary, types, this.#writesBinary);
  }
}

/** The packer that chooses its form by the value. */
export function auto({ msgpack }: AutoOptions = {}): Packer {
  return new AutoPacker(msgpack);
}

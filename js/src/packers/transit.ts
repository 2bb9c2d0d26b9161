/**
 * Transit: every type, in JSON. `transit` is its verbose form, which people can read; `transitJson` the one with a cache,
 * for what says the same keys and keywords again and again.
 *
 * ```js
 * import { connect, json } from "sente-client";
 * import { transitJson } from "sente-client/transit";
 *
 * connect("/chsk", { packers: [transitJson, json] });
 * ```
 */

import { auto, type Packer, type TypeHandler, Types, type Wire } from "../index.js";
import { CachingReader } from "./transit-reader.js";
import { CachingWriter } from "./transit-writer.js";

class TransitPacker implements Packer {
  readonly name = "transit";
  readonly #text: Packer;

  constructor(text = auto()) {
    this.#text = text;
  }

  pack(value: unknown): Wire {
    return this.#text.pack(value);
  }

  unpack(wire: Wire): unknown {
    return this.#text.unpack(wire);
  }

  withTypes(types: readonly TypeHandler[]): Packer {
    return new TransitPacker(this.#text.withTypes?.(types));
  }
}

class TransitJsonPacker implements Packer {
  readonly name = "transit-json";
  readonly #types: Types;

  constructor(types: readonly TypeHandler[] = []) {
    this.#types = new Types(types);
  }

  pack(value: unknown): string {
    return JSON.stringify(new CachingWriter(this.#types).whole(value));
  }

  unpack(wire: Wire): unknown {
    return new CachingReader(this.#types).whole(wire);
  }

  withTypes(types: readonly TypeHandler[]): Packer {
    return new TransitJsonPacker(types);
  }
}

/** What `auto` writes as text: plain JSON where that says all. */
export const transit: Packer = new TransitPacker();

/** With maps as arrays, and codes for what has been said. It reads the verbose form, too. */
export const transitJson: Packer = new TransitJsonPacker();

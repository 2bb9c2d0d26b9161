/**
 * CBOR (RFC 8949): every type, under the standard tags where there is one.
 *
 * ```js
 * import { connect, json } from "sente-client";
 * import { cbor } from "sente-client/cbor";
 *
 * connect("/chsk", { packers: [cbor, json] });
 * ```
 */

import { type Packer, type TypeHandler, Types, type Wire } from "../index.js";
import { CborReader } from "./cbor-reader.js";
import { CborWriter } from "./cbor-writer.js";

class CborPacker implements Packer {
  readonly name = "cbor";
  readonly #types: Types;

  constructor(types: readonly TypeHandler[] = []) {
    this.#types = new Types(types);
  }

  pack(value: unknown): Uint8Array<ArrayBuffer> {
    return new CborWriter(this.#types).write(value);
  }

  unpack(wire: Wire): unknown {
    return new CborReader(this.#types).read(wire);
  }

  withTypes(types: readonly TypeHandler[]): Packer {
    return new CborPacker(types);
  }
}

export const cbor: Packer = new CborPacker();

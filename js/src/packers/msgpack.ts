/**
 * MessagePack: compact, binary, every type. For `connect` it is a packer of its own, or the binary form of `auto`:
 *
 * ```js
 * import { auto, connect } from "sente-client";
 * import { msgpack } from "sente-client/msgpack";
 *
 * connect("/chsk", { packers: [auto({ msgpack }), json] });
 * ```
 */

import { type Packer, type TypeHandler, Types, type Wire } from "../index.js";
import { MsgpackReader } from "./msgpack-reader.js";
import { MsgpackWriter } from "./msgpack-writer.js";

class MsgpackPacker implements Packer {
  readonly name = "msgpack";
  readonly #types: Types;

  constructor(types: readonly TypeHandler[] = []) {
    this.#types = new Types(types);
  }

  pack(value: unknown): Uint8Array<ArrayBuffer> {
    return new MsgpackWriter(this.#types).write(value);
  }

  unpack(wire: Wire): unknown {
    return new MsgpackReader(this.#types).read(wire);
  }

  withTypes(types: readonly TypeHandler[]): Packer {
    return new MsgpackPacker(types);
  }
}

export const msgpack: Packer = new MsgpackPacker();

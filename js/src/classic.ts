/**
 * The client as one of Sente's own, at a Sente server:
 *
 * ```js
 * import { connectClassic } from "sente-client/classic";
 *
 * const chsk = connectClassic("https://example.com/chsk", { csrf: "the token" });
 * ```
 */

import { ClassicDriver } from "./classic-driver.js";
import { Client } from "./client.js";
import type { Options, Source } from "./options.js";
import { json } from "./packers/json.js";
import type { Packer } from "./packers/packer.js";

export interface ClassicOptions extends Omit<Options, "packers" | "auth" | "contract"> {
  /** What both sides speak by agreement; nothing is negotiated. Default: `json`. */
  packer?: Packer;
}

const RESERVED = ["client-id", "csrf-token", "udt", "ppstr", "handshake?", "binary?"];

class ClassicClient extends Client {
  override async reauthenticate(): Promise<never> {
    throw new TypeError("reauthenticate: a Sente server sees new credentials with reconnect() only");
  }
}

/** A client of a Sente server that connects, and stays connected until `disconnect()`. */
export function connectClassic(url: Source<string> = "/chsk", { packer = json, ...options }: ClassicOptions = {}): Client {
  const clash = RESERVED.find((name) => name in (options.params ?? {}));
  if (clash) throw new TypeError(`params: "${clash}" is a name of the protocol's own, choose another`);
  const { auth, packers } = options as Options;
  if (auth !== undefined) throw new TypeError("auth: a Sente server has no place for it; put it into headers");
  if (packers !== undefined) throw new TypeError("packers: nothing is negotiated with a Sente server; name one packer");
  return new ClassicClient(url, { ...options, packers: [packer] }, ClassicDriver);
}

export type { Client } from "./client.js";

/**
 * The client of sente-channels: realtime events over a WebSocket or long-polling, whichever gets through.
 *
 * ```js
 * const chsk = connect("/chsk");
 * chsk.on("chat/said", ({ by, text }) => show(by, text));
 * const reached = await chsk.request("chat/say", { text: "先手" });
 * ```
 */

import { Client } from "./client.js";
import type { Contract } from "./core/contract.js";
import type { Options, Source } from "./options.js";
import type { EventMap, Named, TypedClient } from "./typed.js";

/**
 * A client that connects, and stays connected until `disconnect()` or `close()`. With what `sente types` generates it knows the
 * events: `connect("/chsk", { contract })`, or `connect<Events>("/chsk")`.
 */
export function connect<E extends EventMap>(
  url: Source<string> | undefined,
  options: Options & { contract: Contract<E> },
): TypedClient<E>;
export function connect<E extends EventMap = never>(...args: Named<E, [url?: Source<string>, options?: Options]>): TypedClient<E>;
export function connect(url?: Source<string>, options?: Options): Client;
export function connect(url: Source<string> = "/chsk", options: Options = {}): Client {
  return new Client(url, options);
}

export type { Client, ClientEvents, Handler, RequestOptions, SendOptions, StateChange } from "./client.js";
export type { ClientState, Closed, CloseReason, Transport, Wanted } from "./core/client-state.js";
export type { Contract, ContractDifference } from "./core/contract.js";
export type { SettingsOverrides } from "./core/settings.js";
export {
  Disconnected,
  OutboxFull,
  PackError,
  RequestFailed,
  RequestTimeout,
  SenteError,
  UnpackError,
} from "./errors.js";
export type { Options, Source } from "./options.js";
export { auto, type AutoOptions } from "./packers/auto.js";
export { json } from "./packers/json.js";
export { READ_DEPTH, WRITE_DEPTH, type Packer, type Wire } from "./packers/packer.js";
export { Types, type Reduced, type TypeHandler } from "./packers/types.js";
export type { EventMap, TypedClient, TypedEvent } from "./typed.js";
export { Char, Decimal, Keyword, Sym, TaggedValue, Uri, UUID } from "./values.js";
export type { WebSocketClass, WebSocketLike } from "./websocket.js";

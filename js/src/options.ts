import type { ClientState, Closed, Wanted } from "./core/client-state.js";
import type { Contract } from "./core/contract.js";
import { clientSettings, type ClientSettings, type SettingsOverrides } from "./core/settings.js";
import type { Fetch } from "./longpoll.js";
import { auto } from "./packers/auto.js";
import { json } from "./packers/json.js";
import type { Packer } from "./packers/packer.js";
import type { TypeHandler } from "./packers/types.js";
import type { WebSocketClass } from "./websocket.js";

/** A value, or a function that is asked anew for each attempt to connect. */
export type Source<T> = T | (() => T | Promise<T>);

export interface Options {
  /** `"auto"` (the default): a WebSocket if there can be one, else long-polling; or `"ws"`, or `"poll"`. */
  transport?: Wanted;
  /** What this client speaks; the server chooses. Default: `[auto(), json]`. */
  packers?: readonly Packer[];
  /** Your own types, for each packer. */
  types?: readonly TypeHandler[];
  /** Added to the query of every request. They end up in logs: no secrets. */
  params?: Source<Record<string, string>>;
  /** Headers of long-polling; a WebSocket has none. From another origin each costs a preflight. */
  headers?: Source<Record<string, string>>;
  /** The CSRF token, if the server wants one. */
  csrf?: Source<string | null | undefined>;
  /**
   * What the server is to see as the `Authorization` header, on either transport. A function is also asked when the
   * server warns that they are about to expire.
   */
  auth?: Source<string | null | undefined>;
  /** What the page was built for, from `sente types`: `state.contract` says when the server has come to another one. */
  contract?: Contract;
  /** Keep what is said while there is no line, up to `limits.outbox`, in place of refusing it. Default: false. */
  queue?: boolean;
  /**
   * How what this client says is delivered, by id, from `sente types`: `"volatile"` leaves on the line there is, or not
   * at all; with a function, one that has not left is replaced by a newer one of which it returns the same text. Any
   * other event is reliable.
   */
  delivery?: Record<string, "volatile" | ((data: any) => unknown)>;
  /** Times, in milliseconds, and limits in place of the defaults. */
  settings?: SettingsOverrides;
  /** Default: the global one. Node before version 22 has none: pass that of `ws`. */
  WebSocket?: WebSocketClass;
  fetch?: Fetch;
}

/** What a source says now. */
export async function ask<T>(source: Source<T> | undefined): Promise<T | undefined> {
  return typeof source === "function" ? (source as () => T | Promise<T>)() : source;
}

/** Whether credentials are asked anew, so that a refusal may have met old ones. */
export function isRenewable({ csrf, auth, headers }: Options): boolean {
  return [csrf, auth, headers].some((source) => typeof source === "function");
}

/** The packers of a client, each for its types. */
export function packersOf({ packers = [auto(), json], types = [] }: Options): readonly Packer[] {
  return packers.map((packer) => packer.withTypes?.(types) ?? packer);
}

/** The address of a client, the same for each request of an attempt. `words` are the protocol's own. */
export function endpoint(url: string, clientId: string, params: Record<string, string>, words: Record<string, string>): URL {
  const whole = new URL(url, globalThis.location?.href);
  whole.protocol = whole.protocol.replace(/^ws/, "http");
  whole.hash = "";
  for (const [key, value] of Object.entries({ ...params, "client-id": clientId, ...words })) whole.searchParams.set(key, value);
  return whole;
}

const TIMES = [
  "handshakeTimeout",
  "ping",
  "pingTimeout",
  "wakeTimeout",
  "pollMargin",
  "backoffBase",
  "backoffCap",
  "stable",
  "climbBase",
  "climbCap",
  "climbStable",
  "restart",
] as const;

/** Settings in the core's seconds. */
export function inSeconds(overrides: SettingsOverrides = {}): ClientSettings {
  const settings = clientSettings(overrides);
  for (const name of TIMES) if (name in overrides) settings[name] /= 1000;
  if (overrides.limits?.ack?.delay !== undefined) settings.limits.ack.delay /= 1000;
  return settings;
}

/** A state of the core with its times in milliseconds, as `Date` takes them. */
export function inMilliseconds(state: ClientState): ClientState {
  const closed = (end: Closed | null) => end && { ...end, at: end.at * 1000 };
  return {
    ...state,
    lastWsError: closed(state.lastWsError),
    lastWsClose: closed(state.lastWsClose),
    lastClose: closed(state.lastClose),
    refused: closed(state.refused),
    authExpires: state.authExpires === null ? null : state.authExpires * 1000,
    nextReconnect: state.nextReconnect === null ? null : state.nextReconnect * 1000,
  };
}

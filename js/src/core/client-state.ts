import type { ContractDifference } from "./contract.js";
import { isObject } from "./messages.js";

export type Transport = "ws" | "poll";

/** `auto`: a WebSocket if there can be one, else polling. */
export type Wanted = "auto" | Transport;

export type CloseReason =
  | "requested-disconnect"
  | "requested-reconnect"
  | "downgrading-ws-to-poll"
  | "refused"
  | "replaced"
  | "bye"
  | "page-hidden"
  | "unexpected";

/** Why and when a line ended. */
export interface Closed {
  /** Time since 1970: seconds in the core, milliseconds in `Client.state`. */
  readonly at: number;
  readonly reason: CloseReason;
  /** A WebSocket close code or an HTTP status, if there was one. */
  readonly code: number | null;
  readonly message: string;
}

/** A connection at one moment; states are replaced, never changed. */
export interface ClientState {
  /** Names this client to the server. A twin (a duplicated page) takes another one. */
  readonly clientId: string;
  /** How it is, or is being, connected. */
  readonly transport: Transport | null;
  /** Whether events leave now; `send` returns false otherwise. */
  readonly open: boolean;
  readonly everOpened: boolean;
  /** True in the first open state only: the moment to load what the page starts with. */
  readonly firstOpen: boolean;
  /** Who the server says this is. */
  readonly uid: unknown;
  readonly handshakeData: unknown;
  /**
   * How the typed events of the server differ from this client's: it is of another version. Null: they do not, or one of
   * the two has none.
   */
  readonly contract: ContractDifference | null;
  readonly packer: string | null;
  /** Whether the session went on after the last interruption. */
  readonly resumed: boolean;
  /** Events this client missed since it was last open: 0 none, null not known. Fetch anew unless it is 0. */
  readonly lost: number | null;
  /** The last WebSocket that could not be used. */
  readonly lastWsError: Closed | null;
  /** The last WebSocket that ended after it had been open. */
  readonly lastWsClose: Closed | null;
  readonly lastClose: Closed | null;
  /**
   * The server warns: then it closes this line, as time since 1970, unless the client is given new credentials
   * (`reauthenticate`). Null: it did not, or that is done.
   */
  readonly authExpires: number | null;
  /** When the next attempt is made, as time since 1970. */
  readonly nextReconnect: number | null;
  /** The server said no and asking again would not help: `message` says what to do. `reconnect()` tries again. */
  readonly refused: Closed | null;
}

export function initialState(clientId: string): ClientState {
  return {
    clientId,
    transport: null,
    open: false,
    everOpened: false,
    firstOpen: false,
    uid: null,
    handshakeData: null,
    contract: null,
    packer: null,
    resumed: false,
    lost: 0,
    lastWsError: null,
    lastWsClose: null,
    lastClose: null,
    authExpires: null,
    nextReconnect: null,
    refused: null,
  };
}

/** `old` with changes; `old` itself if they change nothing. */
export function changed(old: ClientState, changes: Partial<ClientState>): ClientState {
  const keys = Object.keys(changes) as (keyof ClientState)[];
  return keys.every((key) => isEqual(old[key], changes[key])) ? old : { ...old, ...changes };
}

function isEqual(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

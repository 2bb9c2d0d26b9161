// What the core asks its driver to do. Collected with `takeActions()` after each input, carried out in order.

import type { ClientState, Transport } from "./client-state.js";
import type { Hello } from "./greeting.js";
import type { ChannelEvent, Packet } from "./messages.js";

/** The name of a WebSocket or of one HTTP exchange; never used twice. */
export type Link = number;

/** The first frame of an HTTP body from a client; `wait` in milliseconds, above 0 for a poll. */
export interface Head {
  session: string;
  n: number;
  ack: number;
  seq: number;
  wait: number;
}

export type Outcome = "reply" | "error" | "timeout" | "disconnected";

export type ClientAction =
  /** Open a WebSocket, or fetch the welcome with GET; call `firstFrame` with what comes. */
  | { type: "openLink"; link: Link; transport: Transport }
  /** Complete `hello` with `csrf` and `auth` and send it as JSON text. On `poll` the answer goes to `exchanged`. */
  | { type: "sayHello"; link: Link; transport: Transport; hello: Hello }
  /** Send packets on a WebSocket, each as one frame; volatile ones only if nothing waits there. */
  | { type: "transmit"; link: Link; packets: Packet[]; volatile?: boolean }
  /** POST head and packets; give the answer to `exchanged`, or its failure to `linkLost`. Sente knows no head. */
  | { type: "exchange"; link: Link; head: Head | null; packets: Packet[] }
  /** Close a WebSocket with `code`, or give an HTTP exchange up. */
  | { type: "close"; link: Link; code: number; reason: string }
  /** Hand an event to the application; `ref` if it asks for a reply. */
  | { type: "deliver"; event: ChannelEvent; ref: number | null }
  /** The delivered request `ref` is no longer wanted. No reply of it is to be given any more. */
  | { type: "cancelled"; ref: number }
  /** A request has its outcome. */
  | { type: "settle"; ref: number; outcome: Outcome; value: unknown }
  /** Events that left, and nobody can know whether they arrived: the server that took them is gone. */
  | { type: "unconfirmed"; events: ChannelEvent[] }
  | { type: "stateChanged"; old: ClientState; new: ClientState };

// Every time and limit, with its default. Times are seconds here, sizes are bytes; Python's settings.py has the reasons.

import type { Wanted } from "./client-state.js";
import type { Contract } from "./contract.js";

/** When an acknowledgement is sent alone, if no other packet takes it along. */
export interface AckPolicy {
  items: number;
  bytes: number;
  delay: number;
}

/** What a client keeps, and lets the server have under way. */
export interface Limits {
  /** Longest frame taken from the server. */
  packet: number;
  /** Events that may be unacknowledged at once. */
  window: number;
  /** The same in bytes. */
  windowBytes: number;
  /** Items kept for the server, sent or not, before `send` throws `OutboxFull`. */
  outbox: number;
  /** The same in bytes. */
  outboxBytes: number;
  /** Delivered but unhandled events before acknowledgements are held back, which in time makes the server wait. */
  backlog: number;
  /** Requests that may wait for a reply at once. */
  requests: number;
  ack: AckPolicy;
}

/** Times and limits of a client. */
export interface ClientSettings {
  /** Wait for the first frame, and again for the handshake, before the way is held to be broken. */
  handshakeTimeout: number;
  /** A WebSocket silent for so long is pinged. */
  ping: number;
  /** Silence after a ping that means the line is dead. */
  pingTimeout: number;
  /** The same after a sleep, or a change of network: then silence is no mere delay. */
  wakeTimeout: number;
  /** How much longer than the server's hold a poll may take before it is given up. */
  pollMargin: number;
  /** The second attempt waits up to so long (the first is made at once), each further one twice as long. */
  backoffBase: number;
  backoffCap: number;
  /** A line that lived so long was good: if it breaks, the next attempt is made at once again. */
  stable: number;
  /** While polling, a WebSocket is tried beside the polls after so long, and after each failure after twice as long. */
  climbBase: number;
  climbCap: number;
  /** A WebSocket reached that way that lived so long was good; one that broke earlier is followed by polling. */
  climbStable: number;
  /** Longest time between a server's goodbye and its successor's start for which nothing counts as missed between. */
  restart: number;
  /** POSTs under way at once. */
  posts: number;
  limits: Limits;
}

/** Some settings in place of the defaults. */
export type SettingsOverrides = Partial<Omit<ClientSettings, "limits">> & {
  limits?: Partial<Omit<Limits, "ack">> & { ack?: Partial<AckPolicy> };
};

/** What a session is given from outside. */
export interface SessionOptions {
  newClientId: () => string;
  /** A number from 0 to 1, different at each call. */
  jitter: () => number;
  transport?: Wanted;
  /** Turns the driver's clock into seconds since 1970. */
  epoch?: number;
  /** Whether credentials are asked anew for each attempt: then one refusal is no last word. */
  renewable?: boolean;
  /** What the application calls its events, if they are typed. */
  contract?: Contract | undefined;
}

const DEFAULTS: ClientSettings = {
  handshakeTimeout: 5,
  ping: 10,
  pingTimeout: 5,
  wakeTimeout: 3,
  pollMargin: 10,
  backoffBase: 0.5,
  backoffCap: 30,
  stable: 2,
  climbBase: 10,
  climbCap: 300,
  climbStable: 60,
  restart: 10,
  posts: 2,
  limits: {
    packet: 1024 * 1024,
    window: 256,
    windowBytes: 1024 * 1024,
    outbox: 4096,
    outboxBytes: 4 * 1024 * 1024,
    backlog: 256,
    requests: 64,
    ack: { items: 64, bytes: 256 * 1024, delay: 5 },
  },
};

/** The defaults with some replaced. */
export function clientSettings(overrides: SettingsOverrides = {}): ClientSettings {
  const { limits } = DEFAULTS;
  return {
    ...DEFAULTS,
    ...overrides,
    limits: { ...limits, ...overrides.limits, ack: { ...limits.ack, ...overrides.limits?.ack } },
  };
}

// What travels: packets, and their plain form `[message, ref, seq, ack, status]`, trailing nulls left out.
// `seq` numbers the first event, request or reply in the packet; 0: not numbered; null: goes on from the packet before.

import { ProtocolError } from "../errors.js";

/** The last event of a session, from either side. */
export const BYE = "chsk/bye";

/** Says that a request is no longer wanted; its data is the request's `ref`. */
export const CANCEL = "chsk/cancel";

/** The request with which a client shows new credentials. */
export const AUTH = "chsk/auth";

/** The event that tells a client that its credentials are about to expire. */
export const AUTH_DUE = "chsk/auth-due";

/** The event that tells a client how many of its events were dropped, as they came too often. */
export const RATE_LIMITED = "chsk/rate-limited";

/** The id under which something that is no event is counted. */
export const BAD_EVENT = "chsk/bad-event";

/** The key of an event that leaves on the line there is, unnumbered, or not at all. */
export const VOLATILE = "volatile";

/** `[id, data]`; `size` is what it costs packed, in bytes. */
export interface ChannelEvent {
  id: string;
  data: unknown;
  size: number;
  /** `VOLATILE`, or: of events with the same key only the newest is kept while they have not left. */
  key?: string | undefined;
  /** Of a request: it may be asked again in the next session. */
  again?: boolean | undefined;
}

/** One or more events; null in the place of one is a number whose event was dropped. */
export type Events = { type: "events"; events: (ChannelEvent | null)[]; seq: number | null };
export type Request = { type: "request"; event: ChannelEvent; ref: number; seq: number; ack: number | null };
export type Reply = { type: "reply"; value: unknown; ref: number; seq: number; ack: number | null; failed: boolean };
export type Handshake = { type: "handshake"; uid: unknown; data: unknown; info: PlainObject };
/** A message of Sente's own wire, `[message, ref]`: `ref` is what the asker wants back with the reply. */
export type Classic = { type: "classic"; message: unknown; ref: unknown };
export type Packet =
  | Events
  | Request
  | Reply
  | Handshake
  /** An acknowledgement alone; `please`: answer with yours now. */
  | { type: "ack"; ack: number; please: boolean }
  | { type: "ping"; ack: number | null }
  | { type: "pong"; ack: number | null }
  /** An unnumbered event of the protocol itself. */
  | { type: "control"; event: ChannelEvent }
  | Classic;

export type PlainObject = Record<string, unknown>;

export function isObject(value: unknown): value is PlainObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether `value` names an event: `namespace/name`. */
export function isEventId(value: unknown): value is string {
  return typeof value === "string" && /^[^/]+\/./s.test(value);
}

/** The plain form of a client's packet. */
export function writePacket(packet: Packet): unknown[] {
  switch (packet.type) {
    case "events":
      return trim([packet.events.map((event) => event && [event.id, event.data]), null, packet.seq]);
    case "request":
      return [[packet.event.id, packet.event.data], packet.ref, packet.seq, packet.ack, "request"];
    case "reply":
      return [packet.value, packet.ref, packet.seq, packet.ack, packet.failed ? "error" : "reply"];
    case "ack":
      return trim([null, null, 0, packet.ack, packet.please ? "ack" : null]);
    case "ping":
      return trim([["chsk/ws-ping"], "ping", 0, packet.ack]);
    case "pong":
      return trim([["chsk/ws-pong"], null, 0, packet.ack]);
    case "control":
      return [[packet.event.id, packet.event.data], null, 0];
    default:
      throw new TypeError(`a client says no ${packet.type}`);
  }
}

/** The packet that `plain` is the form of; `size` is the length of the frame it came in. */
export function readPacket(plain: unknown, size = 0): Packet {
  if (!Array.isArray(plain) || plain.length < 1 || plain.length > 5) {
    throw new ProtocolError("a packet is a list [message, ref, seq, ack, status]");
  }
  const [message, ref, status] = [plain[0] ?? null, plain[1] ?? null, plain[4] ?? null] as unknown[];
  const seq = maybe(plain[2], "seq");
  const ack = maybe(plain[3], "ack");
  const numbered = () => ({ ref: checkNumber(ref, "ref", 1), seq: checkNumber(seq, "seq", 1), ack });
  if (status === "request") return { type: "request", event: readEvent(message, size), ...numbered() };
  if (status === "reply" || status === "error") {
    return { type: "reply", value: message, failed: status === "error", ...numbered() };
  }
  if (message === null) {
    if (ack === null) throw new ProtocolError("an acknowledgement alone needs its number");
    return { type: "ack", ack, please: status === "ack" };
  }
  if (Array.isArray(message) && message.length > 0 && typeof message[0] !== "string") {
    const share = Math.floor(size / message.length);
    return { type: "events", events: message.map((event) => (event === null ? null : readEvent(event, share))), seq };
  }
  return readControl(message, ref, seq, ack);
}

function readControl(message: unknown, ref: unknown, seq: number | null, ack: number | null): Packet {
  if (message === "chsk/ws-ping" && ref === null) return { type: "ping", ack };
  if (message === "pong" && ref === "ping") return { type: "pong", ack };
  if (Array.isArray(message) && message.length > 0 && ref === null) {
    const body: unknown = message[1];
    if (message[0] === "chsk/handshake" && message.length === 2 && Array.isArray(body) && body.length === 4) {
      if (isObject(body[3])) return { type: "handshake", uid: body[0], data: body[2], info: body[3] };
    }
    if (seq === 0) return { type: "control", event: readEvent(message, 0) };
  }
  throw new ProtocolError("a packet of this form has no meaning");
}

/** What `plain` says; what is no event becomes `chsk/bad-event`. */
export function readEvent(plain: unknown, size: number): ChannelEvent {
  if (Array.isArray(plain) && plain.length <= 2 && isEventId(plain[0])) {
    return { id: plain[0], data: plain[1] ?? null, size };
  }
  return { id: BAD_EVENT, data: plain, size };
}

/** A whole number from `least` to 2^53-1. */
export function checkNumber(value: unknown, name: string, least: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < least) {
    throw new ProtocolError(`${name} must be a whole number from ${least} to 2^53-1`);
  }
  return value as number;
}

function maybe(value: unknown, name: string): number | null {
  return value == null ? null : checkNumber(value, name, 0);
}

function trim(plain: unknown[]): unknown[] {
  while (plain.at(-1) === null) plain.pop();
  return plain;
}

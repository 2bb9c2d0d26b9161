// How two sides meet: the hello and the handshake's info. JSON objects; unknown keys are ignored.

import { ProtocolError } from "../errors.js";
import type { Contract } from "./contract.js";
import { checkNumber, isObject, type PlainObject } from "./messages.js";
import type { AckPolicy, Limits } from "./settings.js";

export const VERSION = 1;

/** What the server lets this client have under way. */
export type PeerLimits = Pick<Limits, "packet" | "window" | "windowBytes">;

/** A client's first words on a link, before `csrf` and `auth` are added. */
export interface Hello {
  hello: number;
  session: string | null;
  /** Counts hellos, polls and POSTs, so that a late one is known as such. */
  n: number;
  /** How far the client acknowledges. */
  ack: number;
  /** How far it has received, if that is further. */
  got?: number;
  /** The hash of the client's events, if they are typed. */
  contract?: string;
  limits: { packet: number; window: number; bytes: number };
}

/** The handshake's info; times in seconds. */
export interface Info {
  session: string;
  resumed: boolean;
  lost: number | null;
  prev: number | null;
  sinceStart: number | null;
  uptime: number;
  ack: number;
  limits: PeerLimits;
  body: number;
  acks: AckPolicy;
  poll: number;
}

/** `ack` and `got`: how far the client has acknowledged and received in the session it wants back. */
export function writeHello(
  session: string | null,
  n: number,
  ack: number,
  got: number,
  limits: Limits,
  contract: Contract | undefined,
): Hello {
  const { packet, window, windowBytes: bytes } = limits;
  const hello: Hello = { hello: VERSION, session, n, ack, limits: { packet, window, bytes } };
  if (got > ack) hello.got = got;
  if (contract) hello.contract = contract.hash;
  return hello;
}

/** The packer that the server's first words name; throws a `ProtocolError` if they are no welcome. */
export function readWelcome(plain: unknown): string {
  if (isObject(plain) && plain.sente === VERSION && typeof plain.packer === "string") return plain.packer;
  const isSente = Array.isArray(plain) && Array.isArray(plain[0]); // its handshake
  if (isSente) throw new ProtocolError("this is a Sente server: use sente-client/classic");
  throw new ProtocolError("the server's first words are no welcome: is this a sente endpoint?");
}

/** Reads the handshake's info; throws a `ProtocolError` that names the field. */
export function readInfo(plain: PlainObject): Info {
  const { limits, session } = plain;
  if (!isObject(limits) || typeof session !== "string" || !isObject(limits.ack)) {
    throw new ProtocolError("a handshake must carry session and limits");
  }
  return {
    session,
    resumed: plain.resumed === true,
    lost: count(plain, "lost"),
    prev: count(plain, "prev"),
    sinceStart: count(plain, "since_start"),
    uptime: number(plain, "uptime", 0, 0) / 1000,
    ack: number(plain, "ack", 0),
    limits: {
      packet: number(limits, "packet", 1),
      window: number(limits, "window", 1),
      windowBytes: number(limits, "bytes", 1),
    },
    body: number(limits, "body", 1),
    acks: {
      items: number(limits.ack, "items", 1),
      bytes: number(limits.ack, "bytes", 1),
      delay: number(limits.ack, "ms", 0) / 1000,
    },
    poll: number(plain, "poll", 1) / 1000,
  };
}

/**
 * What the application may have missed of an ended session, so many seconds after a server took leave of it with nothing
 * lost: a successor that started within `restart` of that knows all that was said since.
 */
export function missed({ lost, sinceStart, uptime }: Info, sinceLeft: number, restart: number): number | null {
  return lost === null && sinceLeft - uptime <= restart ? sinceStart : lost;
}

/** A whole number from `least` to 2^53-1 under `key`. */
export function number(plain: PlainObject, key: string, least: number, missing?: number): number {
  return checkNumber(key in plain ? plain[key] : missing, key, least);
}

function count(plain: PlainObject, key: string): number | null {
  return plain[key] == null ? null : number(plain, key, 0);
}

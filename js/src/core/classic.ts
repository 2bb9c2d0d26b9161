// The words of Sente's own wire, for clients and servers that speak no sessions. What Sente writes as a keyword is a
// string here, `:chsk/handshake` is `"chsk/handshake"`: as JSON has it.

import { ProtocolError } from "../errors.js";
import type { Classic } from "./messages.js";

export const PING = "chsk/ws-ping";
export const PONG = "chsk/ws-pong";

/** What a client that polls gives as `ref`: the reply is its POST's answer. */
export const AJAX = "ajax";

/** The message that came as `plain`. */
export function readClassic(plain: unknown): Classic {
  if (!Array.isArray(plain) || plain.length !== 2) throw new ProtocolError("a message is a list [message, callback]");
  return { type: "classic", message: plain[0] ?? null, ref: plain[1] ?? null };
}

/** User and data of a server's first words, if they are a handshake of Sente's. */
export function readHandshake(plain: unknown): { uid: unknown; handshakeData: unknown } | null {
  if (!Array.isArray(plain) || plain.length !== 2 || plain[1] !== null) return null;
  const [word, body] = Array.isArray(plain[0]) && plain[0].length === 2 ? plain[0] : [];
  if (word !== "chsk/handshake" || !Array.isArray(body) || body.length !== 3) return null;
  const [uid, , handshakeData] = body;
  return { uid: uid === "sente/nil-uid" ? null : uid, handshakeData };
}

// The body of an HTTP exchange: frames in a row, each after 4 bytes: its length, the top bit set for text.

import { ProtocolError } from "./errors.js";
import type { Wire } from "./packers/packer.js";

const TEXT = 0x8000_0000;

/** The body that holds these frames. */
export function writeRow(frames: readonly Wire[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const parts = frames.map((frame) => (typeof frame === "string" ? encoder.encode(frame) : frame));
  const body = new Uint8Array(parts.reduce((size, part) => size + 4 + part.length, 0));
  const view = new DataView(body.buffer);
  let at = 0;
  for (const [i, part] of parts.entries()) {
    view.setUint32(at, part.length + (typeof frames[i] === "string" ? TEXT : 0));
    body.set(part, at + 4);
    at += 4 + part.length;
  }
  return body;
}

/** The frames of a body; throws a `ProtocolError` if it is none. */
export function readRow(body: Uint8Array): Wire[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const frames: Wire[] = [];
  let at = 0;
  while (at < body.length) {
    if (at + 4 > body.length) throw new ProtocolError("the body ends within a frame's length");
    const head = view.getUint32(at);
    const text = head >= TEXT;
    const end = at + 4 + (text ? head - TEXT : head);
    if (end > body.length) throw new ProtocolError("a frame is longer than the body that holds it");
    const part = body.subarray(at + 4, end);
    frames.push(text ? decode(part) : part);
    at = end;
  }
  return frames;
}

/** What a frame of JSON text holds; null if it is none. */
export function readJson(wire: Wire | undefined): unknown {
  try {
    return typeof wire === "string" ? JSON.parse(wire) : null;
  } catch {
    return null;
  }
}

function decode(part: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(part);
  } catch {
    throw new ProtocolError("a text frame is not UTF-8");
  }
}

import type { TypeHandler } from "./types.js";

/** A text frame or a binary one. */
export type Wire = string | Uint8Array;

/** How values become frames. Pure, and stateless between calls. */
export interface Packer {
  /** What the server knows it by. */
  readonly name: string;
  /** What of this packer's forms not every peer of that name reads, and this one does. */
  readonly accepts?: readonly string[];
  /** Throws a `PackError` that says what cannot be written, and where in the value it is. */
  pack(value: unknown): Wire;
  /** Throws an `UnpackError` on what is not of this format. */
  unpack(wire: Wire): unknown;
  /** The variant that writes only what such a peer reads. */
  forPeer?(accepts: readonly string[]): Packer;
  /** The same packer for these types, too. */
  withTypes?(types: readonly TypeHandler[]): Packer;
}

/** Arrays and objects within each other when written; as in Python. */
export const WRITE_DEPTH = 250;

/** The same when read: what was written may come wrapped in a packet. */
export const READ_DEPTH = 254;

/** What the client tells the server it speaks: `auto+msgpack,json`. */
export function offer(packers: readonly Packer[]): string {
  return packers.map(({ name, accepts = [] }) => [name, ...accepts].join("+")).join(",");
}

/** The packer the server names, as the server reads it: `auto+gzip+msgpack`. */
export function chosen(packers: readonly Packer[], named: string): Packer | undefined {
  const [name, ...accepts] = named.split("+");
  const packer = packers.find((one) => one.name === name);
  return packer?.forPeer?.(accepts) ?? packer;
}

/** What a frame weighs, in bytes. */
export function sizeOf(wire: Wire): number {
  return typeof wire === "string" ? new TextEncoder().encode(wire).length : wire.length;
}

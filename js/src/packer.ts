/** A text frame or a binary one. */
export type Wire = string | Uint8Array;

/** How values become frames. Pure, and stateless between calls. */
export interface Packer {
  /** What the server knows it by. */
  readonly name: string;
  pack(value: unknown): Wire;
  unpack(wire: Wire): unknown;
}

/** JSON, which every server speaks. */
export const json: Packer = {
  name: "json",
  pack: (value) => JSON.stringify(value),
  unpack: (wire) => JSON.parse(typeof wire === "string" ? wire : new TextDecoder().decode(wire)),
};

/** What a frame weighs, in bytes. */
export function sizeOf(wire: Wire): number {
  return typeof wire === "string" ? new TextEncoder().encode(wire).length : wire.length;
}

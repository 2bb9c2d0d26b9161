import { ProtocolError } from "../errors.js";
import type { ChannelEvent } from "./messages.js";

/** A request on its way. */
export interface Asked {
  event: ChannelEvent;
  ref: number;
  size: number;
}

export type Item = ChannelEvent | Asked;

/** An item and the number it leaves with. */
export type Numbered = readonly [number: number, item: Item];

export const isAsked = (item: Item): item is Asked => "ref" in item;

/**
 * What was said to the server and is not yet known to have arrived. Items get their number when they first leave and
 * are kept until acknowledged: `#sent` holds the numbers `acked + 1 ..` without a hole, `acked < cursor <= next`.
 */
export class Outbox {
  /** The server has taken charge of everything up to here. */
  acked = 0;
  /** The number that leaves next on the current link. */
  cursor = 1;
  /** Size of everything kept. */
  bytes = 0;
  #queue: Item[] = [];
  #sent: Item[] = [];
  #sentBytes = 0;

  get length(): number {
    return this.#queue.length + this.#sent.length;
  }

  /** The number the next new item will get. */
  get next(): number {
    return this.acked + 1 + this.#sent.length;
  }

  /** Whether something waits that has never left, or must leave again on this link. */
  get unsent(): boolean {
    return this.#queue.length > 0 || this.cursor < this.next;
  }

  /** Add what is to be said next. */
  put(item: Item): void {
    this.#queue.push(item);
    this.bytes += item.size;
  }

  /** Forget what the server has. */
  acknowledge(ack: number): void {
    if (ack >= this.next) throw new ProtocolError(`ack ${ack} was never sent`);
    if (ack <= this.acked) return;
    for (const item of this.#sent.splice(0, ack - this.acked)) {
      this.bytes -= item.size;
      this.#sentBytes -= item.size;
    }
    this.acked = ack;
    this.cursor = Math.max(this.cursor, ack + 1);
  }

  /** A new link: what lies above the server's `ack` leaves again. */
  rewind(ack: number): void {
    this.acknowledge(ack);
    this.cursor = this.acked + 1;
  }

  /** Number and return what may leave now, in order, up to `maxBytes` (but at least one item). */
  take(window: number, windowBytes: number, maxBytes: number): Numbered[] {
    const taken: Numbered[] = [];
    let room = maxBytes;
    for (;;) {
      const again = this.cursor < this.next;
      const item = again ? this.#sent[this.cursor - this.acked - 1] : this.#queue[0];
      if (!item || (taken.length > 0 && item.size > room)) return taken;
      if (!again) {
        if (this.#windowFull(item, window, windowBytes)) return taken;
        this.#queue.shift();
        this.#sent.push(item);
        this.#sentBytes += item.size;
      }
      taken.push([this.cursor, item]);
      this.cursor += 1;
      room -= item.size;
    }
  }

  /** What left with a number above `number` and is not acknowledged. */
  sentAbove(number: number): Item[] {
    return this.#sent.slice(Math.max(0, number - this.acked));
  }

  /** What never left. */
  waiting(): readonly Item[] {
    return this.#queue;
  }

  // One item larger than the window still passes alone.
  #windowFull(item: Item, window: number, windowBytes: number): boolean {
    const { length } = this.#sent;
    return length >= window || (length > 0 && this.#sentBytes + item.size > windowBytes);
  }
}

import { ProtocolError } from "../errors.js";
import type { ChannelEvent } from "./messages.js";

/** A request on its way. */
export interface Asked {
  event: ChannelEvent;
  ref: number;
  size: number;
}

/** A reply on its way. */
export interface Answered {
  reply: number;
  value: unknown;
  failed: boolean;
  size: number;
}

/** Word on its way that a request, which has left, is no longer wanted. */
export interface Withdrawn {
  withdrawn: number;
  size: number;
}

const SHORTEST = 1024; // bytes: a line that breaks within less carries nothing anyway

export type Item = ChannelEvent | Asked | Answered | Withdrawn;

/** An item and the number it leaves with. */
export type Numbered = readonly [number: number, item: Item];

export const isEvent = (item: Item): item is ChannelEvent => "id" in item;
export const isAsked = (item: Item): item is Asked => "ref" in item;
export const isAnswered = (item: Item): item is Answered => "reply" in item;

/** Whether the window does not hold it back: someone waits for it, and each request allows for one only. */
const passes = (item: Item): boolean => !isEvent(item) && !isAsked(item);

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
  /** Bytes that leave in one packet or body at most: what a line that breaks all the time may carry to its end. */
  stretch = Infinity;
  #mark = 0; // what was acknowledged when the last link began
  #queue: Item[] = [];
  #sent: Item[] = [];
  #heldItems = 0; // events and requests among #sent, what the window counts
  #heldBytes = 0;

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

  /** Add what is to be said next; an event with its key that has not left is taken back. */
  put(item: Item): void {
    const key = isEvent(item) && item.key;
    if (key) this.#takeBack((old) => isEvent(old) && old.key === key);
    this.#queue.push(item);
    this.bytes += item.size;
  }

  /** A request is no longer wanted: say so if it has left, and see to it that it does not leave otherwise. */
  withdraw(ref: number): void {
    if (!this.#takeBack((item) => isAsked(item) && item.ref === ref)) this.put({ withdrawn: ref, size: 32 });
  }

  /** Forget what the server has. */
  acknowledge(ack: number): void {
    if (ack >= this.next) throw new ProtocolError(`ack ${ack} was never sent`);
    if (ack <= this.acked) return;
    for (const item of this.#sent.splice(0, ack - this.acked)) {
      this.bytes -= item.size;
      this.#count(item, -1);
    }
    this.acked = ack;
    this.cursor = Math.max(this.cursor, ack + 1);
  }

  /**
   * A new link: what lies above the server's `ack` leaves again. In stretches half as long if nothing of it arrived on
   * the last one, or no line that breaks before a whole batch is through would ever carry anything.
   */
  rewind(ack: number): void {
    this.acknowledge(ack);
    if (this.acked > this.#mark) this.stretch *= 2;
    else if (this.cursor > this.acked + 1) this.stretch = Math.max(SHORTEST, Math.min(this.stretch, this.bytes) / 2);
    this.#mark = this.acked;
    this.cursor = this.acked + 1;
  }

  /** Number and return what may leave now, in order, up to `maxBytes` (but at least one item). */
  take(window: number, windowBytes: number, maxBytes: number): Numbered[] {
    const taken: Numbered[] = [];
    let room = maxBytes;
    const fits = (item: Item): boolean => taken.length === 0 || item.size <= room;
    const leave = (item: Item): void => {
      taken.push([this.cursor, item]);
      this.cursor += 1;
      room -= item.size;
    };
    for (const item of this.#sent.slice(this.cursor - this.acked - 1)) {
      if (!fits(item)) return taken;
      leave(item);
    }
    let held = false; // an event or request: none overtakes another, the rest passes
    const waiting = this.#queue;
    this.#queue = [];
    for (const [i, item] of waiting.entries()) {
      if (!passes(item) && (held ||= this.#windowFull(item, window, windowBytes))) {
        this.#queue.push(item);
        continue;
      }
      if (!fits(item)) {
        this.#queue.push(...waiting.slice(i));
        break;
      }
      this.#sent.push(item);
      this.#count(item, 1);
      leave(item);
    }
    return taken;
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
    return this.#heldItems >= window || (this.#heldItems > 0 && this.#heldBytes + item.size > windowBytes);
  }

  #takeBack(which: (item: Item) => boolean): boolean {
    const at = this.#queue.findIndex(which);
    if (at >= 0) for (const { size } of this.#queue.splice(at, 1)) this.bytes -= size;
    return at >= 0;
  }

  #count(item: Item, sign: number): void {
    if (passes(item)) return;
    this.#heldItems += sign;
    this.#heldBytes += sign * item.size;
  }
}

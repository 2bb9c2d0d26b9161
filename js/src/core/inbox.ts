import { ProtocolError } from "../errors.js";

/**
 * Each number once, in order: drops numbers it has seen and keeps those that come early until the gap before them is
 * filled. Early numbers exist only on HTTP, where bodies may overtake each other; `reach` bounds what is kept.
 */
export class Inbox<T> {
  /** Everything up to here has come. */
  top = 0;
  readonly #early = new Map<number, T>();
  readonly #reach: number;

  constructor(reach: number) {
    this.#reach = reach;
  }

  /** The items that are in order now that number `seq` has come; none for a repetition or an early one. */
  take(seq: number, item: T): T[] {
    if (seq <= this.top) return [];
    if (seq > this.top + this.#reach) {
      throw new ProtocolError(`seq ${seq} is more than ${this.#reach} ahead of ${this.top}`);
    }
    if (!this.#early.has(seq)) this.#early.set(seq, item);
    const ready: T[] = [];
    while (this.#early.has(this.top + 1)) {
      this.top += 1;
      ready.push(this.#early.get(this.top) as T);
      this.#early.delete(this.top);
    }
    return ready;
  }
}

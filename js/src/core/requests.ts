import type { ClientAction, Outcome } from "./actions.js";
import type { Asked, Outbox } from "./outbox.js";

/** The requests that wait for their one outcome, and until when. */
export class Requests {
  readonly #deadlines = new Map<number, number>();
  readonly #actions: ClientAction[];
  #last = 0;
  /** Those without outcome that may be asked again. */
  readonly repeatable = new Map<number, Asked>();

  constructor(actions: ClientAction[]) {
    this.#actions = actions;
  }

  /** The reference of the next request. */
  get next(): number {
    return this.#last + 1;
  }

  /** A request was put; its reference. */
  add(deadline: number, asked?: Asked): number {
    this.#deadlines.set(++this.#last, deadline);
    if (asked?.event.again) this.repeatable.set(this.#last, asked);
    return this.#last;
  }

  /** The asker no longer waits for `ref`, and the server need not either. Nothing if it has its outcome. */
  cancel(ref: number, outbox: Outbox): void {
    if (this.#forget(ref)) outbox.withdraw(ref);
  }

  /** This came of `ref`; unless it is late: then the asker has had its outcome. */
  settle(ref: number, outcome: Outcome, value: unknown = null): void {
    if (this.#forget(ref)) this.#actions.push({ type: "settle", ref, outcome, value });
  }

  /** The session ended; only the requests in `kept` go on in the next one. */
  disconnected(kept: ReadonlySet<number> = new Set()): void {
    for (const ref of [...this.#deadlines.keys()]) if (!kept.has(ref)) this.settle(ref, "disconnected");
  }

  #forget(ref: number): boolean {
    this.repeatable.delete(ref);
    return this.#deadlines.delete(ref);
  }

  /** When the first of them runs out of time. */
  nextTimer(): number {
    return Math.min(...this.#deadlines.values());
  }

  /** Settle those whose time is up, and let the server know. */
  handleTimer(now: number, outbox: Outbox): void {
    for (const [ref, deadline] of [...this.#deadlines]) {
      if (now < deadline) continue;
      outbox.withdraw(ref);
      this.settle(ref, "timeout");
    }
  }
}

import { NEVER } from "./client-lines.js";

/** When a client that polls tries a WebSocket beside its polls. */
export class Climb {
  /** Whether it may: not while nobody looks. */
  allowed = true;
  #at = NEVER;

  /** When the next attempt is due. */
  get due(): number {
    return this.allowed ? this.#at : NEVER;
  }

  /** Try at this time; unless that is planned already: polls that break now and then do not put it off for ever. */
  plan(at: number): void {
    if (this.#at === NEVER) this.#at = at;
  }

  /** The network is another one: try at once, if it is to be tried at all. */
  soon(now: number): void {
    if (this.#at !== NEVER) this.#at = now;
  }

  cancel(): void {
    this.#at = NEVER;
  }
}

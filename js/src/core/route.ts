import { backoff } from "./backoff.js";
import type { CloseReason, Transport, Wanted } from "./client-state.js";
import type { ClientSettings } from "./settings.js";

/** Whether asking again would not help after this HTTP status, or close code less 4000. */
export function isTerminal(status: number | null): boolean {
  return status === 401 || status === 403 || status === 406;
}

/** Seconds from a close reason `retry_after=<ms>`. */
export function retryAfter(message: string): number {
  return Number(/^retry_after=(\d{1,7})$/.exec(message)?.[1] ?? 0) / 1000;
}

/**
 * Which transport is tried next, and after how long. With `auto`, a WebSocket that cannot be used is followed by
 * polling, and the other way round. A server that was down is not mistaken for a proxy without WebSocket: where one
 * had worked before, it gets a second chance as soon as the server answers again.
 */
export class Route {
  /** What the next attempt is made with. */
  next: Transport = "ws";
  readonly #settings: ClientSettings;
  readonly #renewable: boolean; // credentials are asked anew: one refusal may have met stale ones
  #wanted: Wanted = "auto";
  #renewed = false;
  #failures = 0;
  #wsWorked = false;
  #wsAgain = false;
  #climbed = false; // the WebSocket in use was opened beside polls
  #climbFailures = 0;

  constructor(settings: ClientSettings, wanted: Wanted, renewable: boolean) {
    this.#settings = settings;
    this.#renewable = renewable;
    this.prefer(wanted);
  }

  /** Use this transport from now on. */
  prefer(wanted: Wanted): void {
    this.#wanted = wanted;
    this.#failures = this.#climbFailures = 0;
    this.#climbed = false;
    this.next = wanted === "poll" ? "poll" : "ws";
  }

  /** The next attempt is the first one. */
  reset(): void {
    this.#failures = 0;
    this.#renewed = false;
  }

  /** The handshake came. */
  opened(): void {
    this.#renewed = this.#wsAgain = false;
    this.#wsWorked ||= this.next === "ws";
  }

  /** The server answered a poll; whether to try its WebSocket once more before settling for that. */
  serverIsThere(): boolean {
    if (this.#wanted !== "auto" || !this.#wsWorked || this.#wsAgain) return false;
    this.#wsAgain = true;
    this.next = "ws";
    return true;
  }

  /** Why a line ended that was or never got open. */
  why(wasOpen: boolean, status: number | null): CloseReason {
    if (isTerminal(status)) return "refused";
    if (status === 409) return "replaced";
    return this.#wanted === "auto" && this.next === "ws" && !wasOpen ? "downgrading-ws-to-poll" : "unexpected";
  }

  /**
   * A line is lost after it was open for so long, or never (null); whether to try again. `answered`: these were the
   * server's own words, so the transport is not at fault.
   */
  lost(openFor: number | null, status: number | null, answered: boolean): boolean {
    const terminal = isTerminal(status);
    if (terminal && (this.#renewed || !this.#renewable)) {
      this.#renewed = false;
      return false;
    }
    this.#renewed = terminal;
    this.#failures = openFor !== null && openFor >= this.#settings.stable ? 1 : this.#failures + 1;
    if (openFor === null && this.#wanted === "auto" && !answered) {
      this.next = this.next === "ws" ? "poll" : "ws";
    } else if (openFor !== null && this.#climbed && this.next === "ws") {
      if (openFor >= this.#settings.climbStable) this.#climbFailures = 0;
      else if (!answered) this.fell();
      this.#climbed = false;
    }
    return true;
  }

  // -- up again from polling

  /** A WebSocket beside the polls works: it is the way from now on. */
  climb(): void {
    this.next = "ws";
    this.#climbed = true;
  }

  /** It did not work, or not for long: polling again, and more patience with the next one. */
  fell(): void {
    this.#climbed = this.#wsWorked = false;
    this.#climbFailures += 1;
    this.next = "poll";
  }

  /** Seconds until a client that polls tries a WebSocket again; infinite if it wants none. */
  climbDelay(jitter: number): number {
    if (this.#wanted !== "auto" || this.next !== "poll") return Infinity;
    const { climbBase, climbCap } = this.#settings;
    return backoff(this.#climbFailures + 2, climbBase, climbCap, jitter); // 2: where backoff begins with its base
  }

  /** The server said goodbye: it is going down, so the next attempt will need patience if it fails. */
  tookLeave(): void {
    this.#failures = 1;
  }

  /** Seconds until the next attempt. */
  delay(jitter: number): number {
    return backoff(this.#failures, this.#settings.backoffBase, this.#settings.backoffCap, jitter);
  }
}

// For tests, beside the client: what nobody needs in production no page loads.

import type { Options } from "./options.js";
import type { WebSocketClass, WebSocketLike } from "./websocket.js";

/** What the lines are made of that break, and how they are told to. */
export interface BadConnectionOptions extends Pick<Options, "WebSocket" | "fetch"> {
  /** A number from 0 to 1 for each frame; the line breaks if it is below the rate. */
  chance?: () => number;
}

/**
 * Options for `connect`: of so many frames, 0 to 1, each breaks its line instead of being carried. A request that
 * breaks never arrives, or its answer does not.
 */
export function badConnection(rate: number, options: BadConnectionOptions = {}): Required<Pick<Options, "WebSocket" | "fetch">> {
  if (!(rate >= 0 && rate <= 1)) throw new RangeError(`badConnection(${rate}): how many of all frames, 0 to 1`);
  const { WebSocket = globalThis.WebSocket as WebSocketClass, fetch = globalThis.fetch, chance = Math.random } = options;
  const breaks = (): boolean => chance() < rate;
  return {
    WebSocket: class extends BadSocket {
      constructor(url: string) {
        super(new WebSocket(url), breaks);
      }
    },
    fetch: async (...request) => {
      if (breaks()) throw new TypeError("broken on purpose");
      const answer = await fetch(...request);
      if (!breaks()) return answer;
      await answer.body?.cancel();
      throw new TypeError("broken on purpose");
    },
  };
}

class BadSocket implements WebSocketLike {
  readonly #socket: WebSocketLike;
  readonly #breaks: () => boolean;
  #broken = false;

  constructor(socket: WebSocketLike, breaks: () => boolean) {
    this.#socket = socket;
    this.#breaks = breaks;
  }

  get binaryType(): string {
    return this.#socket.binaryType;
  }

  set binaryType(type: string) {
    this.#socket.binaryType = type;
  }

  addEventListener(type: string, listener: (event: any) => void): void {
    this.#socket.addEventListener(type, (event) => {
      if (type === "close" && this.#broken) listener({ code: 1006, reason: "" });
      else if (type !== "message" || this.#carries()) listener(event);
    });
  }

  send(data: any): void {
    if (this.#carries()) this.#socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    if (this.#socket.terminate) this.#socket.terminate();
    else this.#socket.close();
  }

  #carries(): boolean {
    if (!this.#broken && this.#breaks()) {
      this.#broken = true;
      this.terminate();
    }
    return !this.#broken;
  }
}

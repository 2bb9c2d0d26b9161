// The server's end of a classic client's lines, played by hand.

import { connectClassic, type Client, type ClassicOptions } from "../src/classic.js";
import type { Packer, WebSocketLike, Wire } from "../src/index.js";

export const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** What comes next. */
export async function next<T>(queue: T[]): Promise<T> {
  for (let turns = 0; turns < 200; turns++) {
    const first = queue.shift();
    if (first !== undefined) return first;
    await later();
  }
  throw new Error("none came");
}

/** JSON in bytes: binary frames and bodies. */
export const binaryJson: Packer = {
  name: "binary-json",
  pack: (value) => new TextEncoder().encode(JSON.stringify(value)),
  unpack: (wire) => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(wire as Uint8Array)),
};

export class Socket implements WebSocketLike {
  binaryType = "";
  readonly sent: Wire[] = [];
  readonly closed: [number | undefined, string | undefined][] = [];
  paused = false;
  readonly #listeners: Record<string, (event: unknown) => void> = {};

  constructor(readonly url: URL) {}

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners[type] = listener;
  }

  send(wire: Wire): void {
    this.sent.push(wire);
  }

  close(code?: number, reason?: string): void {
    this.closed.push([code, reason]);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** The server says so. */
  hear(value: unknown): void {
    this.#listeners.message?.({ data: JSON.stringify(value) });
  }

  /** The server ends it; before an upgrade a browser is told no more than 1006. */
  end(code: number): void {
    this.#listeners.close?.({ code, reason: "" });
  }
}

/** A request that waits for its answer. */
export interface Request {
  url: URL;
  init: RequestInit;
  answer(value: unknown, status?: number): void;
}

/** What a client opens and asks for. */
export class Server {
  readonly sockets: Socket[] = [];
  readonly requests: Request[] = [];
  readonly aborted: Request[] = [];

  connect(options: ClassicOptions = {}, url = "http://localhost/chsk"): Client {
    const { sockets, requests, aborted } = this;
    const WebSocket = class extends Socket {
      constructor(address: string) {
        super(new URL(address));
        sockets.push(this);
      }
    };
    const fetch = (address: unknown, init: RequestInit = {}) =>
      new Promise<Response>((resolve, reject) => {
        const answer = (value: unknown, status = 200) =>
          resolve(new Response(typeof value === "string" && status !== 200 ? value : JSON.stringify(value), { status }));
        const request = { url: new URL(String(address)), init, answer };
        requests.push(request);
        init.signal?.addEventListener("abort", () => {
          aborted.push(request);
          reject(new Error("given up"));
        });
      });
    return connectClassic(url, { WebSocket, fetch: fetch as typeof globalThis.fetch, ...options });
  }

  /** The next socket. */
  async socket(): Promise<Socket> {
    return next(this.sockets);
  }

  /** The next request of this method. */
  async request(method: "GET" | "POST"): Promise<Request> {
    for (let turns = 0; turns < 200; turns++) {
      const at = this.requests.findIndex(({ init }) => (init.method ?? "GET") === method);
      if (at >= 0) return this.requests.splice(at, 1)[0] as Request;
      await later();
    }
    throw new Error(`no ${method} came`);
  }
}

// A server that speaks JSON over WebSockets that are none, takes everything, and remembers its one session.

import { setMaxListeners } from "node:events";
import { setTimeout as later } from "node:timers/promises";
import { connect, json, type Client, type Options, type WebSocketLike } from "../src/index.js";

const LIMITS = { packet: 2 ** 20, body: 2 ** 22, window: 256, bytes: 2 ** 20, requests: 64 };
const INFO = { v: 1, session: "token", lost: 0, prev: null, ping: 12_500, poll: 20_000, resume: 120_000 };

export class Server {
  /** The lines so far. */
  readonly sockets: Socket[] = [];
  /** The events of the client, as `[id, data]`; of a request too. */
  readonly heard: unknown[] = [];
  readonly urls: string[] = [];
  /** The last number of the client's, and of its own. */
  received = 0;
  said = 0;
  hellos = 0;
  /** After how many events it wants them acknowledged. */
  wants = 64;
  /** Whether it answers pings and hellos. */
  answers = true;
  /** How a new line fails. */
  refuses: { code: number; reason: string } | null = null;

  /** A client of this server, which is not connected yet. */
  client(options: Options = {}, url: Parameters<typeof connect>[0] = "http://localhost/chsk"): Client {
    const server = this;
    const WebSocket = class extends Socket {
      constructor(address: string) {
        super(server, address);
      }
    };
    return connect(url, { transport: "ws", WebSocket, packers: [json], ...options });
  }

  get line(): Socket {
    const last = this.sockets.at(-1);
    if (!last) throw new Error("nobody came");
    return last;
  }

  /** Say events, `[id, data]`. */
  push(events: unknown[]): void {
    this.said += events.length;
    this.line.say([events, null]);
  }

  take(socket: Socket, plain: any): void {
    if (plain.hello) {
      if (!this.answers) return;
      const info = { ...INFO, resumed: plain.session !== null, ack: plain.session ? this.received : 0 };
      if (!plain.session) this.received = this.said = 0;
      this.hellos += 1;
      const limits = { ...LIMITS, ack: { items: this.wants, bytes: 2 ** 18, ms: 5000 } };
      return socket.say([["chsk/handshake", ["ada", null, null, { ...info, limits }]], null, 0]);
    }
    const [message, ref, seq, , status] = plain;
    if (message?.[0] === "chsk/ws-ping") {
      socket.pings += 1;
      if (this.answers) socket.say(["pong", "ping", 0]);
    } else if (status === "request") {
      this.received = seq;
      this.heard.push(message);
      socket.say([message[1], ref, ++this.said, seq, "reply"]);
    } else if (Array.isArray(message?.[0])) {
      this.received = seq + message.length - 1;
      this.heard.push(...message);
      socket.say([null, null, 0, this.received]);
    }
  }
}

/** The server's end of a line. */
export class Socket implements WebSocketLike {
  binaryType = "";
  /** How the client closed it. */
  closed: number | null = null;
  pings = 0;
  readonly #server: Server;
  readonly #listeners: Record<string, (event: unknown) => void> = {};

  constructor(server: Server, url: string) {
    this.#server = server;
    server.sockets.push(this);
    server.urls.push(url);
    const { refuses } = server;
    queueMicrotask(() => (refuses ? this.end(refuses.code, refuses.reason) : this.say({ sente: 1, packer: "json", hello: 10_000 })));
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners[type] = listener;
  }

  /** The client hears this. */
  say(plain: unknown): void {
    if (this.closed === null) this.#listeners.message?.({ data: JSON.stringify(plain) });
  }

  /** The client loses the line. */
  end(code = 1006, reason = ""): void {
    this.#listeners.close?.({ code, reason });
  }

  send(text: string): void {
    this.#server.take(this, JSON.parse(text));
  }

  close(code = 1005): void {
    this.closed = code;
    queueMicrotask(() => this.end(code));
  }
}

/** What stands in for the page: install it before a client is made. */
export class Page extends EventTarget {
  visibilityState = "visible";
  /** How many hear of it. */
  listeners = 0;

  static install(): Page {
    const page = new Page();
    Object.assign(globalThis, { document: page, addEventListener: page.addEventListener.bind(page) });
    return page;
  }

  static remove(): void {
    Object.assign(globalThis, { document: undefined, addEventListener: undefined });
  }

  override addEventListener(type: string, listener: EventListener, options: AddEventListenerOptions): void {
    this.listeners += 1;
    const { signal } = options as { signal: AbortSignal };
    setMaxListeners(20, signal);
    super.addEventListener(type, listener); // Node 20's own way with signals holds on to what it lets go
    signal.addEventListener("abort", () => {
      this.listeners -= 1;
      super.removeEventListener(type, listener);
    });
  }

  tell(type: string, more: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), more));
  }
}

/** Let what is under way happen. */
export const turn = (ms = 0): Promise<void> => later(ms);

import type { ClientAction, Link } from "./core/actions.js";
import { ClientSession } from "./core/client-session.js";
import { BYE, isObject, readPacket, writePacket, type Packet } from "./core/messages.js";
import { ProtocolError } from "./errors.js";
import { readJson, readRow, writeRow } from "./frames.js";
import { answer, Refusal, type Fetch } from "./longpoll.js";
import { ask, endpoint, inSeconds, isRenewable, packersOf, type Options, type Source } from "./options.js";
import { chosen, offer, sizeOf, type Packer, type Wire } from "./packers/packer.js";
import { WebSocketLink, type WebSocketClass } from "./websocket.js";

export type Of<T extends ClientAction["type"]> = Extract<ClientAction, { type: T }>;

/** What the core tells the application. */
export type News = Of<"deliver" | "cancelled" | "settle" | "unconfirmed" | "stateChanged">;

/** What a goodbye may weigh, in bytes, to leave even if its page goes. */
export const KEEPALIVE_LIMIT = 60_000; // browsers let requests of 64 KiB outlive their page

/** How long a goodbye is waited for, in milliseconds. */
export const LEAVE_TIMEOUT = 2000;

/** Gives the core its clock, its chance and its lines, and carries out what it wants done. */
export class Driver {
  readonly core: ClientSession;
  /** What the hello shows. */
  auth: Options["auth"];
  readonly #url: Source<string>;
  #place: readonly [url: string, params: Record<string, string>]; // what they said for the last attempt
  protected readonly options: Options;
  readonly #packers: readonly Packer[];
  readonly #fetch: Fetch;
  readonly #WebSocket: WebSocketClass | undefined;
  readonly #tell: (news: News) => void;
  protected readonly links = new Map<Link, WebSocketLink | AbortController>();
  #packer: Packer | undefined; // the one the server chose, as it reads it
  protected headers: Record<string, string> = {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity; // when the timer is to fire
  #offset = Date.now() / 1000 - clock(); // of the wall's clock from ours, which began by chance
  #page: AbortController | undefined;
  readonly #open = new Set<Promise<unknown>>(); // lines, until nothing is left of them
  #soon = false;
  #pumping = false;

  constructor(url: Source<string>, options: Options, tell: (news: News) => void, Session = ClientSession) {
    this.#url = url;
    this.options = options;
    this.auth = options.auth;
    this.#packers = packersOf(options);
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.#tell = tell;
    this.core = new Session(inSeconds(options.settings), {
      newClientId,
      jitter: Math.random,
      transport: options.transport ?? "auto",
      epoch: this.#offset,
      renewable: isRenewable(options),
      contract: options.contract,
    });
    const { params = {} } = options;
    this.#place = [String(url), typeof params === "object" ? params : {}];
    if (typeof url !== "function") this.address(); // what is wrong with the URL is thrown here, to its author
    this.watch();
  }

  /** The packer in use. */
  get packer(): Packer {
    const packer = this.#packer ?? this.#packers[0];
    if (!packer) throw new TypeError("packers: name at least one");
    return packer;
  }

  /** Give the core an input and carry out what comes of it. */
  do(input: (core: ClientSession, now: number) => void): void {
    const now = clock();
    if (this.#slept(now)) this.core.wake(now);
    input(this.core, now);
    if (this.#pumping) return; // a handler called: what came of it is next
    this.#pumping = true;
    try {
      for (let actions; (actions = this.core.takeActions()).length > 0; ) {
        for (const action of actions) this.#carryOut(action);
      }
    } finally {
      this.#pumping = false;
      this.#setTimer();
    }
  }

  /** Do what is due at the end of this turn: what is said in one turn leaves together. */
  soon(): void {
    if (this.#soon) return;
    this.#soon = true;
    queueMicrotask(() => {
      this.#soon = false;
      this.do((core, now) => core.handleTimer(now));
    });
  }

  /** Let every line break, as the network might do it. */
  breakConnection(code: number): void {
    const reason = "broken on purpose";
    for (const link of this.links.keys()) {
      this.#close({ link, code, reason });
      this.do((core, now) => core.linkLost(link, now, null, reason));
    }
  }

  /**
   * Hear of the page, where there is one: while nobody looks no WebSocket is tried beside polls; one that is put away
   * leaves its line, as it could not come back from the browser's cache with it; whatever wakes up makes sure of it.
   */
  watch(): void {
    this.unwatch();
    const { signal } = (this.#page = new AbortController());
    const { document } = globalThis;
    const on = (where: EventTarget | undefined, type: string, input: (core: ClientSession, now: number, event: any) => void) =>
      where?.addEventListener?.(type, (event) => this.do((core, now) => input(core, now, event)), { signal });
    const seen = (): boolean => document?.visibilityState !== "hidden";
    const wake = (core: ClientSession, now: number): void => core.wake(now);
    this.core.climb.allowed = seen();
    on(document, "visibilitychange", (core, now) => (core.climb.allowed = seen()) && core.wake(now));
    on(document, "resume", wake); // it was frozen
    on(globalThis, "pagehide", (core, now) => core.leave(now));
    on(globalThis, "pageshow", (core, now, { persisted }) => persisted && core.wake(now));
    on(globalThis, "offline", wake);
    on(globalThis, "online", (core, now) => {
      core.climb.soon(now);
      core.wake(now);
    });
  }

  /** Hear of the page no more: it holds on to what hears of it. */
  unwatch(): void {
    this.#page?.abort();
  }

  /** Resolves when nothing is left of any line; after `LEAVE_TIMEOUT` at the latest. */
  async settled(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, LEAVE_TIMEOUT)));
    await Promise.race([late, Promise.all(this.#open)]);
    clearTimeout(timer);
  }

  // A machine that sleeps stops our clock, not the wall's; a page that is frozen stops the timer.
  #slept(now: number): boolean {
    const offset = Date.now() / 1000 - now;
    const missed = Math.max(Math.abs(offset - this.#offset), now - this.#due);
    this.#offset = offset;
    return missed > this.core.settings.ping;
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    const now = clock();
    this.#due = Math.max(now, this.core.nextTimer() ?? Infinity);
    if (this.#due === Infinity) return;
    this.#timer = setTimeout(() => this.do((core, now) => core.handleTimer(now)), (this.#due - now) * 1000);
  }

  #carryOut(action: ClientAction): void {
    switch (action.type) {
      case "openLink":
        return action.transport === "ws" ? this.open(action.link) : this.welcome(action.link);
      case "sayHello":
        return this.#hello(action);
      case "transmit": {
        const socket = this.links.get(action.link);
        if (!(socket instanceof WebSocketLink) || (action.volatile && socket.behind)) return;
        for (const wire of this.pack(action.packets)) socket.send(wire);
        return;
      }
      case "exchange":
        return this.exchange(action);
      case "close":
        return this.#close(action);
      default:
        return this.#tell(action);
    }
  }

  // -- WebSocket

  protected open(link: Link): void {
    this.http(link, async () => {
      await this.locate();
      return () => this.connect(link, this.address());
    });
  }

  protected connect(link: Link, url: URL): void {
    try {
      if (!this.#WebSocket) throw new Error("there is no WebSocket here: give one with the option `WebSocket`");
      url.protocol = url.protocol.replace("http", "ws");
      const events = {
        first: (wire: Wire) => this.do((_, now) => this.first(link, wire, now)),
        frame: (wire: Wire) => this.do((_, now) => this.#frame(link, wire, now)),
        lost: (code: number, reason: string) => {
          this.links.delete(link);
          this.do((core, now) => core.linkLost(link, now, code, reason));
        },
      };
      const socket = new WebSocketLink(new this.#WebSocket(url.href), events);
      this.links.set(link, socket);
      this.#hold(socket.closed);
    } catch (error) {
      this.do((core, now) => core.linkLost(link, now, null, String(error)));
    }
  }

  // The server's first words are JSON, whatever the packer.
  protected first(link: Link, wire: Wire, now: number): void {
    const plain = readJson(wire);
    if (isObject(plain) && typeof plain.packer === "string") {
      const packer = chosen(this.#packers, plain.packer);
      if (!packer) return this.core.broken(link, `the server chose packer ${plain.packer}, which was not offered`, now);
      this.#packer = packer;
    }
    this.core.firstFrame(link, plain, now);
  }

  #frame(link: Link, wire: Wire, now: number): void {
    try {
      this.core.receive(link, ...this.read(wire), now);
    } catch (error) {
      this.#failed(link, error, now);
    }
  }

  // -- long-polling

  protected welcome(link: Link): void {
    this.http(link, async (signal) => {
      this.headers = (await ask(this.options.headers)) ?? {};
      await this.locate();
      const url = this.address();
      url.searchParams.set("handshake?", "1");
      const text = await (await this.fetch(url, { signal })).text();
      return (now) => this.first(link, text, now);
    });
  }

  protected exchange({ link, head, packets }: Of<"exchange">): void {
    const frames = [JSON.stringify(head), ...this.pack(packets)];
    const last = packets.at(-1);
    const goodbye = last?.type === "control" && last.event.id === BYE;
    const keepalive = goodbye && frames.reduce((size, frame) => size + sizeOf(frame), 0) < KEEPALIVE_LIMIT;
    this.http(link, (signal) => this.#post(link, frames, { signal, keepalive }));
  }

  async #post(link: Link, frames: readonly Wire[], init: RequestInit): Promise<(now: number) => void> {
    const response = await this.fetch(this.address(), { ...init, method: "POST", body: writeRow(frames) });
    const [first, ...rest] = readRow(new Uint8Array(await response.arrayBuffer()));
    const packets = rest.map((wire) => this.read(wire));
    return (now) => this.core.exchanged(link, readJson(first), packets, now);
  }

  /** The answer to a request, which has status 200. No header is set that is not asked for: each costs a preflight. */
  protected fetch(url: URL, init: RequestInit): Promise<Response> {
    return answer(this.#fetch, url.href, { headers: this.headers, ...init });
  }

  // Work on a link until it is done or given up; what comes of it is the core's next input.
  protected http(link: Link, work: (signal: AbortSignal) => Promise<(now: number) => void>): void {
    this.#hold(this.#attend(link, work));
  }

  async #attend(link: Link, work: (signal: AbortSignal) => Promise<(now: number) => void>): Promise<void> {
    const controller = new AbortController();
    this.links.set(link, controller);
    let input: (now: number) => void;
    try {
      input = await work(controller.signal);
    } catch (error) {
      input = (now) => this.#failed(link, error, now);
    }
    if (controller.signal.aborted) return;
    this.links.delete(link);
    this.do((_, now) => input(now));
  }

  #hold(line: Promise<unknown>): void {
    this.#open.add(line);
    void line.then(() => this.#open.delete(line));
  }

  // -- both

  #hello({ link, transport, hello }: Of<"sayHello">): void {
    const complete = async (): Promise<string> => {
      const { csrf, headers } = this.options;
      const [token, auth, more] = await Promise.all([ask(csrf), ask(this.auth), ask(headers)]);
      this.headers = more ?? {};
      return JSON.stringify({ ...hello, csrf: token, auth });
    };
    if (transport === "poll") {
      this.http(link, async (signal) => {
        const text = await complete();
        await this.locate();
        return this.#post(link, [text], { signal });
      });
    } else {
      complete().then(
        (text) => (this.links.get(link) as WebSocketLink | undefined)?.send(text),
        (error: unknown) => this.do((core, now) => core.broken(link, String(error), now)),
      );
    }
  }

  #close({ link, code, reason }: Omit<Of<"close">, "type">): void {
    const open = this.links.get(link);
    this.links.delete(link);
    if (open instanceof AbortController) open.abort();
    else open?.close(code, reason);
  }

  #failed(link: Link, error: unknown, now: number): void {
    if (error instanceof ProtocolError) this.core.broken(link, error.message, now);
    else if (error instanceof Refusal) this.core.linkLost(link, now, error.status, error.message);
    else this.core.linkLost(link, now, null, String(error));
  }

  protected pack(packets: readonly Packet[]): Wire[] {
    return packets.map((packet) => this.packer.pack(writePacket(packet)));
  }

  protected read(wire: Wire): [Packet, number] {
    return [readPacket(unpack(this.packer, wire), wire.length), wire.length];
  }

  /** Ask anew where the server is. */
  protected async locate(): Promise<void> {
    const { params } = this.options;
    this.#place = [(await ask(this.#url)) as string, (await ask(params)) ?? {}];
  }

  /** Where the server is, and what the query tells it of the protocol. */
  protected address(words: Record<string, string> = { v: "1", packers: offer(this.#packers) }): URL {
    const [url, params] = this.#place;
    return endpoint(url, this.core.state.clientId, params, words);
  }
}

/** Seconds of the clock that never goes back. */
function clock(): number {
  return performance.now() / 1000;
}

function newClientId(): string {
  // crypto.randomUUID would need https
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The value in a frame; throws a `ProtocolError` if it cannot be read. */
export function unpack(packer: Packer, wire: Wire): unknown {
  try {
    return packer.unpack(wire);
  } catch (error) {
    throw new ProtocolError(`a frame cannot be unpacked: ${(error as Error).message}`);
  }
}

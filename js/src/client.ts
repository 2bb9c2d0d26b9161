// So that programs without this library in their own settings can read the declarations.
/// <reference lib="esnext.disposable" preserve="true" />

import type { Outcome } from "./core/actions.js";
import type { ClientState, Wanted } from "./core/client-state.js";
import { AUTH, VOLATILE, isEventId, isObject, type ChannelEvent } from "./core/messages.js";
import { Driver, type News } from "./driver.js";
import { Disconnected, PackError, RequestFailed, RequestTimeout } from "./errors.js";
import { ask, inMilliseconds, type Options, type Source } from "./options.js";
import { sizeOf } from "./packers/packer.js";
import { Stream } from "./stream.js";

/** What a `"state"` event carries. */
export interface StateChange {
  old: ClientState;
  new: ClientState;
}

/** The events of a client, by type. */
export interface ClientEvents {
  state: CustomEvent<StateChange>;
  /**
   * Events that left, and nobody can know whether they arrived: the server that took them is gone. Or that were said as
   * a user who is no longer logged in here, or are larger than the next server takes, and did not arrive.
   */
  unconfirmed: CustomEvent<{ id: string; data: unknown }[]>;
}

export interface SendOptions {
  /** Keep it for the next line if there is none now; otherwise what the option `queue` of `connect` says. */
  queue?: boolean;
}

export interface RequestOptions extends SendOptions {
  /** Milliseconds to wait for the reply; 8000 unless told otherwise. */
  timeout?: number;
  /** Handling it twice does no harm: it is asked again if the session ends before its reply came. */
  idempotent?: boolean;
  signal?: AbortSignal;
}

/**
 * Called with an event's data and id. Until the promise of an async one settles, the event counts as unhandled. For a
 * request of the server, what it returns is the reply, and `signal` aborts when nobody waits for it any more.
 */
export type Handler<T = unknown> = (data: T, id: string, signal?: AbortSignal) => unknown;

interface Asker {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** A value as it was when it was given, and what it costs. */
interface Copy {
  value: unknown;
  size: number;
}

type Listener<T> = ((event: T) => void) | null;

export interface Client {
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
  addEventListener<K extends keyof ClientEvents>(
    type: K,
    listener: Listener<ClientEvents[K]>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof ClientEvents>(
    type: K,
    listener: Listener<ClientEvents[K]>,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** A connection that comes back by itself. `connect` makes one. */
export class Client extends EventTarget {
  static {
    // `await using`, where there is such a thing
    if (Symbol.asyncDispose) this.prototype[Symbol.asyncDispose] = this.prototype.close;
  }

  /** Resolves when the client is open for the first time; rejects if it is refused or disconnected before. */
  readonly ready: Promise<void>;
  readonly #driver: Driver;
  readonly #delivery: Options["delivery"];
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #askers = new Map<number, Asker>();
  readonly #answering = new Map<number, AbortController>();
  readonly #streams = new Set<Stream<unknown>>();
  readonly #queue: boolean;
  readonly #states = new WeakMap<ClientState, ClientState>();
  #becomeReady!: Asker;

  constructor(url: Source<string>, options: Options, Drive: typeof Driver = Driver) {
    super();
    this.ready = new Promise<any>((resolve, reject) => (this.#becomeReady = { resolve, reject }));
    this.ready.catch(() => {}); // who does not wait for it is not bothered by it
    this.#queue = options.queue ?? false;
    this.#delivery = options.delivery;
    this.#driver = new Drive(url, options, (news) => this.#hear(news));
    this.#driver.core.connect(performance.now() / 1000);
    this.#driver.soon(); // not before the caller has added its listeners
  }

  /** The connection at this moment; a `"state"` event tells of each change. */
  get state(): ClientState {
    return this.#public(this.#driver.core.state);
  }

  /**
   * Say an event. False: the client is not open, and nothing is kept; unless it is to `queue`, then it leaves with the
   * next line, if there will be one. `data` is copied at once.
   */
  send(id: string, data: unknown = null, { queue = this.#queue }: SendOptions = {}): boolean {
    const event = this.#event(id, data);
    const by = this.#delivery?.[id];
    if (by) event.key = by === VOLATILE ? by : `${id} ${by(data)}`;
    const said = this.#driver.core.send(event, queue && by !== VOLATILE);
    this.#driver.soon();
    return said;
  }

  /**
   * Ask for a reply. Rejects with `RequestTimeout`, `RequestFailed`, `Disconnected` or the signal's reason; of an abort,
   * and of a timeout, the server is told.
   */
  async request<T = unknown>(id: string, data: unknown = null, options: RequestOptions = {}): Promise<T> {
    const { timeout = 8000, signal, queue = this.#queue, idempotent } = options;
    signal?.throwIfAborted();
    const { core } = this.#driver;
    const event = { ...this.#event(id, data), again: idempotent };
    const ref = core.request(event, timeout / 1000, performance.now() / 1000, queue);
    this.#driver.soon();
    const abort = () => {
      core.cancel(ref);
      this.#driver.soon();
      this.#askers.get(ref)?.reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort);
    try {
      return await new Promise<any>((resolve, reject) => this.#askers.set(ref, { resolve, reject }));
    } finally {
      this.#askers.delete(ref);
      signal?.removeEventListener("abort", abort);
    }
  }

  /**
   * Call `handler` with each event of this id, or with each event if it is `"*"`; returns how to stop that. A request
   * of the server goes to the handler registered first for its id; what that returns, or throws, is the reply.
   */
  on<T = unknown>(id: string, handler: Handler<T>): () => void {
    const handlers = this.#handlers.get(id) ?? new Set();
    this.#handlers.set(id, handlers.add(handler as Handler));
    return () => {
      handlers.delete(handler as Handler);
      if (handlers.size === 0 && this.#handlers.get(id) === handlers) this.#handlers.delete(id);
    };
  }

  /** The same for the next one only. */
  once<T = unknown>(id: string, handler: Handler<T>): () => void {
    const off = this.on<T>(id, (...event) => {
      off();
      return handler(...event);
    });
    return off;
  }

  /**
   * The data of each event of this id from now on, for `for await`; of each event if it is `"*"`, as `{ id, data }`. One
   * that the loop is not done with counts as unhandled: a loop that lags slows the server down, and nothing is dropped.
   * The loop is over after `disconnect()`, or when `signal` aborts.
   */
  events(id: "*", options?: { signal?: AbortSignal }): AsyncIterableIterator<{ id: string; data: unknown }>;
  events<T = unknown>(id: string, options?: { signal?: AbortSignal }): AsyncIterableIterator<T>;
  events(id: string, { signal }: { signal?: AbortSignal } = {}): AsyncIterableIterator<unknown> {
    const off = this.on(id, (data, name) => stream.put(id === "*" ? { id: name, data } : data));
    const end = (): void => stream.end();
    const stream = new Stream<unknown>(() => {
      off();
      this.#streams.delete(stream);
      signal?.removeEventListener("abort", end);
    });
    this.#streams.add(stream);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
    return stream;
  }

  /** Open a new line at once, and resume on it: after a login, after a refusal, after `disconnect()`. */
  reconnect(): void {
    this.#driver.watch();
    this.#driver.do((core, now) => core.reconnect(now));
  }

  /**
   * Show the server new credentials in the running session: what the option `auth` says now, or `auth`, which takes the
   * option's place. Where the option is a function this happens by itself when the server warns. Resolves to the
   * milliseconds for which they are good, or null if for ever. Rejects as `request`: with `RequestFailed` if the server
   * refused them, then the old ones stay; with `Disconnected` if they are those of another user, as whom the client
   * comes back, or if there is no line: then a new `auth` counts from the next attempt on.
   */
  async reauthenticate(auth?: string): Promise<number | null> {
    const driver = this.#driver;
    const before = driver.auth;
    driver.auth = auth ?? before; // now: if they are another user's, the next hello comes before the outcome
    try {
      const answer = await this.request<{ expires_in?: number } | null>(AUTH, { auth: (await ask(driver.auth)) ?? null });
      driver.do((core) => core.renewed());
      return answer?.expires_in ?? null;
    } catch (error) {
      if (error instanceof RequestFailed && driver.auth === auth) driver.auth = before;
      throw error;
    }
  }

  /** Say goodbye: the session ends, and with it every open request, and what is queued. `reconnect()` begins anew. */
  disconnect(): void {
    this.#driver.unwatch();
    this.#driver.do((core, now) => core.disconnect(now));
    this.#becomeReady.reject(new Disconnected("the client was disconnected"));
    for (const stream of this.#streams) stream.end();
  }

  /** The same; resolves when the goodbye has left and nothing is open any more, after 2 s at the latest. */
  async close(): Promise<void> {
    this.disconnect();
    await this.#driver.settled();
  }

  /**
   * For tests: let the line break, without a close frame unless `clean`; the client comes back by itself. A browser
   * cuts no WebSocket: it closes it, and drops what is still on its way.
   */
  breakConnection(options?: { clean?: boolean }): void {
    this.#driver.breakConnection(options?.clean ? 4000 : 1006);
  }

  /** Use another transport from now on. */
  prefer(transport: Wanted): void {
    this.#driver.do((core, now) => core.prefer(transport, now));
  }

  // -- what the core tells

  #hear(news: News): void {
    switch (news.type) {
      case "deliver":
        return news.ref === null ? this.#deliver(news.event) : void this.#answer(news.event, news.ref);
      case "cancelled":
        this.#answering.get(news.ref)?.abort();
        return void this.#answering.delete(news.ref);
      case "settle":
        return this.#settle(news.ref, news.outcome, news.value);
      case "unconfirmed":
        return this.#dispatch("unconfirmed", news.events.map(({ id, data }) => ({ id, data })));
      case "stateChanged":
        return this.#changed(news.old, news.new);
    }
  }

  #deliver({ id, data }: ChannelEvent): void {
    const under = (name: string): Handler[] => [...(this.#handlers.get(name) ?? [])];
    const open: PromiseLike<unknown>[] = [];
    for (const handler of [...under(id), ...under("*")]) {
      try {
        const result = handler(data, id) as PromiseLike<unknown> | undefined;
        if (typeof result?.then === "function") open.push(result.then(undefined, report));
      } catch (error) {
        report(error);
      }
    }
    if (open.length > 0) void Promise.all(open).then(() => this.#delivered());
    else this.#delivered();
  }

  #delivered(): void {
    this.#driver.do((core, now) => core.delivered(now));
  }

  async #answer({ id, data }: ChannelEvent, ref: number): Promise<void> {
    const mine = new AbortController();
    this.#answering.set(ref, mine);
    let outcome: Copy;
    let failed = false;
    try {
      const [handler] = this.#handlers.get(id) ?? [];
      if (!handler) throw new RequestFailed("no_handler", `nobody handles ${id}`);
      outcome = this.#copy((await handler(data, id, mine.signal)) ?? null, `the reply to ${id}`);
    } catch (error) {
      if (!(error instanceof RequestFailed || mine.signal.aborted)) report(error);
      outcome = this.#failure(error);
      failed = true;
    }
    if (this.#answering.get(ref) === mine) {
      // not cancelled: after the session's end the server may use this number anew
      this.#answering.delete(ref);
      this.#driver.core.reply(ref, outcome.value, failed, outcome.size);
    }
    this.#delivered();
  }

  #settle(ref: number, outcome: Outcome, value: unknown): void {
    const asker = this.#askers.get(ref);
    if (outcome === "reply") asker?.resolve(value);
    else if (outcome === "error") asker?.reject(failure(value));
    else if (outcome === "timeout") asker?.reject(new RequestTimeout("no reply came in time"));
    else asker?.reject(new Disconnected("the session ended before the reply came"));
  }

  #changed(old: ClientState, now: ClientState): void {
    if (now.open) this.#becomeReady.resolve(undefined);
    if (now.refused) {
      const { code, message } = now.refused;
      this.#becomeReady.reject(new Disconnected(`the server refused this client (${code}): ${message}`));
    }
    const due = now.authExpires && now.authExpires !== old.authExpires;
    if (due && typeof this.#driver.auth === "function") void this.#renew();
    this.#dispatch("state", { old: this.#public(old), new: this.#public(now) });
  }

  async #renew(): Promise<void> {
    try {
      await this.reauthenticate();
    } catch (error) {
      if (!(error instanceof Disconnected)) report(error); // with the next hello they are asked anew
    }
  }

  #dispatch(type: keyof ClientEvents, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #public(state: ClientState): ClientState {
    const known = this.#states.get(state) ?? inMilliseconds(state);
    this.#states.set(state, known);
    return known;
  }

  // Packed once here, to weigh it, to refuse what cannot be packed, and to keep it as it is now.
  #event(id: string, data: unknown): ChannelEvent {
    if (!isEventId(id)) throw new TypeError(`an event is named "namespace/name", not ${JSON.stringify(id)}`);
    const { value, size } = this.#copy([[id, data]], id, "[0][1]"); // as deep as it will lie in its packet
    return { id, data: (value as [[string, unknown]])[0][1], size };
  }

  #copy(value: unknown, what: string, at = ""): Copy {
    const { packer } = this.#driver;
    try {
      const wire = packer.pack([value]);
      const [copy] = packer.unpack(wire) as [unknown];
      return { value: copy, size: sizeOf(wire) };
    } catch (error) {
      const { reason, path } = PackError.within("", error);
      throw new PackError(`${reason} (${what}, as ${packer.name})`, path.replace(`value[0]${at}`, "data"), { cause: error });
    }
  }

  #failure(error: unknown): Copy {
    const known = error instanceof RequestFailed ? error : new RequestFailed("internal", "the client failed");
    const { code, message, data } = known;
    try {
      return this.#copy({ code, message, data }, code);
    } catch {
      return this.#copy({ code, message, data: null }, code);
    }
  }
}

function failure(value: unknown): RequestFailed {
  const { code, message, data } = isObject(value) ? value : {};
  return new RequestFailed(String(code ?? "internal"), String(message ?? ""), data ?? null);
}

/** A handler's error is not ours, and must not stop us. */
function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}

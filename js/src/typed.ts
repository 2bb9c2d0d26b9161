// What `sente types` generates is used by, and nothing of it is left when the program runs.

import type { Client, Handler, RequestOptions, SendOptions } from "./client.js";

/** What an event carries, and what its reply does: null for one that is not replied to. */
export interface TypedEvent {
  data: unknown;
  reply: unknown;
}

/** The events of a server, by who says them. `sente types` writes such an interface. */
export interface EventMap {
  /** What the client says. */
  toServer: Record<string, TypedEvent>;
  /** What the server says. */
  toClient: Record<string, TypedEvent>;
}

/** Arguments of a function that is meant only if its type parameter is given. */
export type Named<E, Args extends unknown[]> = [E] extends [never] ? [never] : Args;

/** Data may be left out where it may be null. */
export type Given<D, More extends unknown[] = []> = null extends D ? [data?: D, ...more: More] : [data: D, ...more: More];

/** What a handler returns is the reply; of an event without one it is of no interest. */
type Returned<R> = [R] extends [null] ? unknown : R | Promise<R>;

/** What is called with such an event. */
export type TypedHandler<E extends EventMap, K extends keyof E["toClient"]> = (
  data: E["toClient"][K]["data"],
  id: K,
  signal?: AbortSignal,
) => Returned<E["toClient"][K]["reply"]>;

/** The client of a server whose events are known: `connect<Events>("/chsk")`. */
export interface TypedClient<E extends EventMap> extends Omit<Client, "send" | "request" | "on" | "once" | "events"> {
  /**
   * Say an event. False: the client is not open, and nothing is kept; unless it is to `queue`, then it leaves with the
   * next line, if there will be one. `data` is copied at once.
   */
  send<K extends keyof E["toServer"] & string>(
    id: K,
    ...data: Given<E["toServer"][K]["data"], [options?: SendOptions]>
  ): boolean;

  /**
   * Ask for a reply. Rejects with `RequestTimeout`, `RequestFailed`, `Disconnected` or the signal's reason; of an abort,
   * and of a timeout, the server is told.
   */
  request<K extends keyof E["toServer"] & string>(
    id: K,
    ...data: Given<E["toServer"][K]["data"], [options?: RequestOptions]>
  ): Promise<E["toServer"][K]["reply"]>;

  /** Call `handler` with each event of this id; returns how to stop that. What it returns is the reply. */
  on<K extends keyof E["toClient"] & string>(id: K, handler: TypedHandler<E, K>): () => void;
  /** Call `handler` with every event, or with one of the protocol itself. */
  on(id: "*" | `chsk/${string}`, handler: Handler): () => void;

  /** The same for the next one only. */
  once<K extends keyof E["toClient"] & string>(id: K, handler: TypedHandler<E, K>): () => void;
  once(id: "*" | `chsk/${string}`, handler: Handler): () => void;

  /**
   * The data of each event of this id from now on, for `for await`; of each event if it is `"*"`, as `{ id, data }`. One
   * that the loop is not done with counts as unhandled: a loop that lags slows the server down, and nothing is dropped.
   * The loop is over after `disconnect()`, or when `signal` aborts.
   */
  events<K extends keyof E["toClient"] & string>(
    id: K,
    options?: { signal?: AbortSignal },
  ): AsyncIterableIterator<E["toClient"][K]["data"]>;
  events(id: "*", options?: { signal?: AbortSignal }): AsyncIterableIterator<{ id: string; data: unknown }>;
}

"use client"; // for frameworks that render components on a server

/**
 * The client in React:
 *
 * ```jsx
 * const chsk = useChannelSocket("/chsk");
 * useEvent(chsk, "chat/said", (data) => setSaid((said) => [...said, data]));
 * const [ask, { reply, error, pending }] = useRequest(chsk, "chat/say");
 * const state = useChannelState(chsk);
 * ```
 *
 * A client that `connect` made outside of React will do as well.
 */

import { useCallback, useEffect, useInsertionEffect, useRef, useState, useSyncExternalStore } from "react";
import { connect, Disconnected } from "./index.js";
import type { Client, ClientState, Contract, EventMap, Handler, Options, RequestOptions, Source, TypedClient } from "./index.js";
import type { Given, Named, TypedHandler } from "./typed.js";

/** What the hooks are given: null is a client that is not there yet. */
type AnyClient = Pick<Client, "state" | "addEventListener" | "removeEventListener">;

/** What became of what `useRequest` asked. */
export interface Asked<T = unknown> {
  /** Whether a reply is awaited. */
  readonly pending: boolean;
  /** The last reply, also while the next one is awaited and after an error. */
  readonly reply: T | undefined;
  /** Why the last request failed: `RequestTimeout`, `RequestFailed`, `Disconnected`, `PackError`, `OutboxFull`. */
  readonly error: Error | null;
}

const NOTHING: Asked<never> = { pending: false, reply: undefined, error: null };

/** A client while its component is mounted, as a store of React's. */
class Mounted {
  client: Client | null = null;
  readonly #make: () => Client;

  constructor(make: () => Client) {
    this.#make = make;
  }

  // StrictMode mounts, unmounts and mounts again in one turn: a client that is closed in its first opens no line.
  readonly subscribe = (changed: () => void): (() => void) => {
    const client = (this.client = this.#make());
    changed();
    return () => {
      void client.close();
      this.client = null;
    };
  };

  readonly get = (): Client | null => this.client;
}

const none = (): null => null;

/**
 * A client of this component: it connects when the component is mounted, and is closed once it is unmounted. Null in the
 * first render, and on a server. The arguments are `connect`'s, and those of the first render count: give the component
 * another `key` to connect elsewhere.
 */
export function useChannelSocket<E extends EventMap>(
  url: Source<string> | undefined,
  options: Options & { contract: Contract<E> },
): TypedClient<E> | null;
export function useChannelSocket<E extends EventMap = never>(
  ...args: Named<E, [url?: Source<string>, options?: Options]>
): TypedClient<E> | null;
export function useChannelSocket(url?: Source<string>, options?: Options): Client | null;
export function useChannelSocket(url?: Source<string>, options?: Options): Client | null {
  const [mounted] = useState(() => new Mounted(() => connect(url, options)));
  return useSyncExternalStore(mounted.subscribe, mounted.get, none);
}

/**
 * Call `handler`, that of the last render, with each event of this id while the component is mounted. For a request of
 * the server, what it returns is the reply.
 */
export function useEvent<T = unknown>(chsk: Client | null, id: string, handler: Handler<T>): void;
export function useEvent<E extends EventMap, K extends keyof E["toClient"] & string>(
  chsk: TypedClient<E> | null,
  id: K,
  handler: TypedHandler<E, K>,
): void;
export function useEvent(chsk: TypedClient<any> | null, id: "*" | `chsk/${string}`, handler: Handler): void;
export function useEvent(chsk: Pick<Client, "on"> | null, id: string, handler: Handler<any>): void {
  const latest = useRef(handler);
  useInsertionEffect(() => void (latest.current = handler));
  useEffect(() => chsk?.on(id, (...event) => latest.current(...event)), [chsk, id]);
}

/**
 * A function that asks, and what became of it. The function stays the same, and never throws: the error is in what
 * became of it. Asking again calls off what was asked before, and so does unmounting; what has to be done for each click
 * is for `chsk.request`.
 */
export function useRequest<T = unknown>(
  chsk: Client | null,
  id: string,
): [ask: (data?: unknown, options?: Omit<RequestOptions, "signal">) => Promise<void>, asked: Asked<T>];
export function useRequest<E extends EventMap, K extends keyof E["toServer"] & string>(
  chsk: TypedClient<E> | null,
  id: K,
): [
  ask: (...data: Given<E["toServer"][K]["data"], [options?: Omit<RequestOptions, "signal">]>) => Promise<void>,
  asked: Asked<E["toServer"][K]["reply"]>,
];
export function useRequest(chsk: Pick<Client, "request"> | null, id: string): [ask: (...data: any) => Promise<void>, asked: Asked<any>] {
  const [asked, become] = useState<Asked<any>>(NOTHING);
  const open = useRef<AbortController>(undefined);
  useEffect(
    () => () => {
      open.current?.abort();
      become(NOTHING);
    },
    [chsk, id],
  );
  const ask = useCallback(
    async (data?: unknown, options?: RequestOptions) => {
      open.current?.abort();
      const { signal } = (open.current = new AbortController());
      become(({ reply }) => ({ pending: true, reply, error: null }));
      try {
        if (!chsk) throw new Disconnected("there is no client yet");
        const reply = await chsk.request(id, data, { ...options, signal });
        if (!signal.aborted) become({ pending: false, reply, error: null });
      } catch (error) {
        if (!signal.aborted) become(({ reply }) => ({ pending: false, reply, error: error as Error }));
      }
    },
    [chsk, id],
  );
  return [ask, asked];
}

/** The state of a client; the component renders anew when it changes. Null where there is no client yet. */
export function useChannelState(chsk: AnyClient | null): ClientState | null {
  const subscribe = useCallback(
    (changed: () => void) => {
      chsk?.addEventListener("state", changed);
      return () => chsk?.removeEventListener("state", changed);
    },
    [chsk],
  );
  return useSyncExternalStore(subscribe, () => chsk?.state ?? null, none);
}

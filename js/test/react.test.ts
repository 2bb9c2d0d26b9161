// The hooks in React itself, on a page that is none, with a played server.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterEach, test } from "node:test";
import { setTimeout as later } from "node:timers/promises";
import { build } from "esbuild";
import type { ReactNode } from "react";
import type { Client, ClientState, Contract, Options, TypedClient } from "../src/index.js";
import { json } from "../src/packers/json.js";
import type { Asked } from "../src/react.js";
import { Server, Socket } from "./played-server.js";

// Untyped: its declarations do not agree with those of Node 20.
const { Window } = await import("happy-dom" as string);
const window = new Window({ url: "http://localhost/" });
const { document, navigator } = window;
Object.assign(globalThis, { window, document, IS_REACT_ACT_ENVIRONMENT: true });
Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });

// Not before there is a page: React looks for it when it is loaded.
const { act, createElement, StrictMode } = await import("react");
const { createRoot } = await import("react-dom/client");
const { useChannelSocket, useChannelState, useEvent, useRequest } = await import("../src/react.js");

const roots: { unmount(): void }[] = [];
afterEach(async () => {
  await act(async () => roots.splice(0).forEach((root) => root.unmount()));
  await later(10); // for the goodbyes
});

/** Let everything that is due come to pass. */
async function pass(milliseconds = 30): Promise<void> {
  await act(async () => later(milliseconds));
}

async function mount(page: ReactNode) {
  const place = document.createElement("div");
  const root = createRoot(place);
  roots.push(root);
  const render = async (node: ReactNode): Promise<void> => {
    await act(async () => (root.render(node), later(30)));
  };
  await render(page);
  return { place, root, render };
}

function optionsOf(server: Server): Options {
  const WebSocket = class extends Socket {
    constructor(address: string) {
      super(server, address);
    }
  };
  return { transport: "ws", packers: [json], WebSocket };
}

const URL = "http://localhost/chsk";

test("a component connects once, strictly too, and says goodbye when it is gone", async () => {
  for (const mode of ["div", StrictMode]) {
    const server = new Server();
    const seen = new Set<Client | null>();
    const Page = () => {
      const chsk = useChannelSocket(URL, optionsOf(server));
      seen.add(chsk);
      return `open ${useChannelState(chsk)?.open}`;
    };
    const { place, root } = await mount(createElement(mode, null, createElement(Page)));
    assert.equal(place.textContent, "open true");
    assert.deepEqual([server.sockets.length, server.hellos, seen.size], [1, 1, 2], "null, and then the one client");
    await act(async () => root.unmount());
    await pass();
    assert.equal(server.line.closed, 1000);
    assert.equal(server.sockets.length, 1);
  }
});

test("another key is another client", async () => {
  const server = new Server();
  const Page = ({ room }: { room: string }) => {
    const chsk = useChannelSocket(URL, { ...optionsOf(server), params: { room } });
    return `${room} ${useChannelState(chsk)?.open}`;
  };
  const { render, place } = await mount(createElement(Page, { key: "go", room: "go" }));
  await render(createElement(Page, { key: "go", room: "ignored" }));
  assert.equal(server.sockets.length, 1);
  await render(createElement(Page, { key: "shogi", room: "shogi" }));
  assert.equal(place.textContent, "shogi true");
  const rooms = server.urls.map((url) => /room=(\w+)/.exec(url)?.[1]);
  assert.deepEqual([rooms, server.sockets[0]?.closed], [["go", "shogi"], 1000]);
});

test("the state is rendered anew when it changes, and nobody listens afterwards", async () => {
  const server = new Server();
  const chsk = server.client();
  const added: unknown[] = [];
  const removed: unknown[] = [];
  const { addEventListener: add, removeEventListener: remove } = chsk;
  chsk.addEventListener = (...args: [any, any]) => (added.push(args[1]), add.apply(chsk, args));
  chsk.removeEventListener = (...args: [any, any]) => (removed.push(args[1]), remove.apply(chsk, args));
  const states: (ClientState | null)[] = [];
  const Page = () => `${(states[states.length] = useChannelState(chsk))?.open}`;
  const { place, root } = await mount(createElement(Page));
  assert.equal(place.textContent, "true");
  await act(async () => chsk.disconnect());
  assert.equal(place.textContent, "false");
  assert.equal(states.at(-1), chsk.state, "one object for one state");
  await act(async () => root.unmount());
  assert.ok(added.length > 0);
  assert.deepEqual(removed, added);
  await chsk.close();
});

test("an event comes to the handler of the last render, also one that comes at once", async () => {
  const server = new Server();
  const heard: unknown[] = [];
  const take = server.take.bind(server);
  server.take = (socket, plain) => {
    take(socket, plain);
    if (plain.hello) server.push([["chat/said", "at once"]]);
  };
  const Page = ({ by }: { by: string }) => {
    const chsk = useChannelSocket(URL, optionsOf(server));
    useEvent<string>(chsk, "chat/said", (data, id) => heard.push([by, id, data]));
    return null;
  };
  const { render, root } = await mount(createElement(Page, { by: "first" }));
  await render(createElement(Page, { by: "second" }));
  server.push([["chat/said", "later"]]);
  await pass();
  assert.deepEqual(heard, [
    ["first", "chat/said", "at once"],
    ["second", "chat/said", "later"],
  ]);
  await act(async () => root.unmount());
  await pass();
  assert.equal(heard.length, 2);
});

test("what is asked is pending, then there is its reply, or why there is none", async () => {
  const server = new Server();
  let ask!: (data?: unknown, options?: { timeout: number }) => Promise<void>;
  let latest!: Asked;
  const asked = (): Asked => latest;
  const Page = ({ chsk, id = "page/load" }: { chsk: Client | null; id?: string }) => {
    [ask, latest] = useRequest(chsk, id);
    return null;
  };
  const { render, root } = await mount(createElement(Page, { chsk: null }));
  assert.deepEqual(asked(), { pending: false, reply: undefined, error: null });
  await act(async () => ask(1));
  assert.equal(asked().error?.name, "Disconnected");

  const chsk = server.client();
  await render(createElement(Page, { chsk }));
  assert.deepEqual(asked(), { pending: false, reply: undefined, error: null }, "of another client");
  const before = ask;
  await act(async () => void ask(2));
  await pass();
  assert.deepEqual(asked(), { pending: false, reply: 2, error: null });
  assert.equal(ask, before, "fit for the dependencies of an effect");

  const take = server.take.bind(server);
  const cancelled = (): number => server.heard.filter((event: any) => event[0] === "chsk/cancel").length;
  server.take = (socket, plain) => {
    if (plain[0]?.[1] !== "silence") take(socket, plain);
    else server.received = plain[2];
  };
  await act(async () => void ask("silence"));
  await pass();
  assert.deepEqual(asked(), { pending: true, reply: 2, error: null });
  await act(async () => void ask(3));
  await pass();
  assert.deepEqual(asked(), { pending: false, reply: 3, error: null });
  assert.equal(cancelled(), 1, "the one before is called off");

  await act(async () => void ask("silence", { timeout: 20 }));
  await pass(60);
  assert.deepEqual([asked().pending, asked().reply, asked().error?.name], [false, 3, "RequestTimeout"]);
  server.heard.length = 0;
  await act(async () => void ask("silence"));
  await render(createElement(Page, { chsk, id: "page/other" }));
  assert.deepEqual(asked(), { pending: false, reply: undefined, error: null }, "of another event");
  await act(async () => void ask("silence"));
  await pass();
  await act(async () => root.unmount());
  await pass();
  assert.equal(cancelled(), 2, "nobody is there to see it");
  await chsk.close();
});

test("the guide's component works", async () => {
  const guide = await readFile("../docs/guides/javascript-client.md", "utf8");
  const contents = /```jsx\n(.*?)```/s.exec(guide)?.[1];
  assert.ok(contents);
  const outfile = ".build/guide.mjs";
  const alias = { "sente-client/react": "./src/react.ts" };
  const stdin = { contents, loader: "jsx", resolveDir: "." } as const;
  await build({ stdin, alias, bundle: true, format: "esm", jsx: "automatic", external: ["react", "react/*"], outfile });
  const { Chat } = await import(new globalThis.URL(`../${outfile}`, import.meta.url).href);

  const server = new Server();
  Object.assign(globalThis, { location: window.location, WebSocket: optionsOf(server).WebSocket });
  const { place } = await mount(createElement(StrictMode, null, createElement(Chat)));
  assert.match(place.textContent, /here as ada/);
  assert.equal(server.sockets.length, 1);
  await act(async () => server.push([["chat/said", { by: "grace", text: "hello" }]]));
  await pass();
  assert.equal(place.querySelector("li")?.textContent, "grace: hello");
  const [say, search] = place.querySelectorAll("button");
  document.body.append(place); // React listens at the root, the page at its elements
  await act(async () => (say?.click(), search?.click()));
  await pass();
  assert.deepEqual(server.heard, [
    ["chat/say", { text: "hello" }],
    ["chat/search", { text: "hello" }],
  ]);
  assert.match(place.textContent, /found/);
});

interface Events {
  toServer: {
    "chat/say": { data: { text: string }; reply: { at: number } };
    "chat/leave": { data: null; reply: null };
  };
  toClient: {
    "chat/said": { data: { text: string }; reply: null };
    "device/confirm": { data: string; reply: boolean };
  };
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Fails to compile unless `A` is exactly `B`. */
function same<A, B>(..._: Same<A, B> extends true ? [] : [never]): void {}

// Never called: it is read by the compiler only.
export function useTyped(contract: Contract<Events>): void {
  const chsk = useChannelSocket<Events>("/chsk");
  same<typeof chsk, TypedClient<Events> | null>();
  const known = useChannelSocket("/chsk", { contract });
  same<typeof known, TypedClient<Events> | null>();
  const plain = useChannelSocket("/chsk");
  same<typeof plain, Client | null>();
  useChannelState(chsk)?.open;

  useEvent(chsk, "chat/said", (data) => same<typeof data, { text: string }>());
  useEvent(chsk, "device/confirm", async (what) => what === "yes");
  useEvent(chsk, "*", (data) => same<typeof data, unknown>());
  // @ts-expect-error: no such event
  useEvent(chsk, "chat/siad", () => {});
  // @ts-expect-error: the reply is a boolean
  useEvent(chsk, "device/confirm", () => "yes");
  useEvent<string>(plain, "any/thing", (data) => same<typeof data, string>());

  const [say, said] = useRequest(chsk, "chat/say");
  same<typeof said.reply, { at: number } | undefined>();
  void say({ text: "hi" }, { timeout: 1000 });
  // @ts-expect-error: data is needed
  void say();
  // @ts-expect-error: a field is of another type
  void say({ text: 7 });
  const [leave] = useRequest(chsk, "chat/leave");
  void leave();
  // @ts-expect-error: the server says this one
  useRequest(chsk, "chat/said");
}

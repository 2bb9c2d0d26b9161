// Up again from polling, in a page: while it is looked at, and at once when the network is back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readRow, writeRow } from "../src/frames.js";
import { connect, type WebSocketLike } from "../src/index.js";

const INFO = {
  v: 1,
  session: "token",
  resumed: true,
  lost: 0,
  prev: null,
  ack: 0,
  limits: { packet: 1e6, body: 1e6, window: 9, bytes: 1e6, requests: 9, ack: { items: 9, bytes: 1e6, ms: 5000 } },
  ping: 12500,
  poll: 20000,
  resume: 120000,
};
const WELCOME = { sente: 1, packer: "json", hello: 10000 };
const HANDSHAKE = [["chsk/handshake", ["ada", null, null, INFO]], null, 0];

let opened = 0;
let blocked = true;

/** A WebSocket that fails, or the server's end of one. */
class Socket implements WebSocketLike {
  binaryType = "";
  readonly #listeners: Record<string, (event: unknown) => void> = {};

  constructor() {
    opened += 1;
    queueMicrotask(() => (blocked ? this.#listeners.close?.({ code: 1006, reason: "" }) : this.#say(WELCOME)));
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners[type] = listener;
  }

  #say(plain: unknown): void {
    this.#listeners.message?.({ data: JSON.stringify(plain) });
  }

  send(text: string): void {
    const plain = JSON.parse(text);
    if (plain.hello) this.#say(HANDSHAKE);
    else if (plain[0][0] === "chsk/ws-ping") this.#say(["pong", "ping", 0]);
  }

  close(): void {}
}

const server: typeof fetch = async (_url, init) => {
  if (init?.method !== "POST") return Response.json(WELCOME);
  const first = JSON.parse(readRow(init.body as Uint8Array)[0] as string);
  if (first.hello) return new Response(writeRow([JSON.stringify({ ack: 0, seq: 1 }), JSON.stringify(HANDSHAKE)]));
  return new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(new Error("given up"))));
};

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What stands in for the page. */
class Page extends EventTarget {
  visibilityState = "visible";
}

async function polling(climbBase: number, use: (page: Page, transport: () => unknown) => Promise<void>): Promise<void> {
  const page = new Page();
  Object.assign(globalThis, { document: page, addEventListener: page.addEventListener.bind(page) });
  blocked = true;
  opened = 0;
  const client = connect("http://127.0.0.1/chsk", { WebSocket: Socket, fetch: server, settings: { climbBase } });
  await client.ready;
  blocked = false;
  assert.equal(client.state.transport, "poll");
  try {
    await use(page, () => client.state.transport);
  } finally {
    client.disconnect();
    Object.assign(globalThis, { document: undefined, addEventListener: undefined });
  }
}

test("a page that is not looked at polls on, and comes up when it is", () =>
  polling(20, async (page, transport) => {
    page.visibilityState = "hidden";
    page.dispatchEvent(new Event("visibilitychange"));
    await later(60);
    assert.equal(opened, 1);
    assert.equal(transport(), "poll");
    page.visibilityState = "visible";
    page.dispatchEvent(new Event("visibilitychange"));
    await later(20);
    assert.equal(opened, 2);
    assert.equal(transport(), "ws");
  }));

test("when the network is back, a WebSocket is tried at once", () =>
  polling(3_600_000, async (page, transport) => {
    page.dispatchEvent(new Event("online"));
    await later(20);
    assert.equal(transport(), "ws");
    page.dispatchEvent(new Event("online"));
    await later(20);
    assert.equal(opened, 2);
  }));

// Requests of the server and their handlers, and requests of the client that are given up: over a WebSocket of our own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, RequestFailed, type Client, type WebSocketLike } from "../src/index.js";

const INFO = {
  v: 1,
  session: "token",
  resumed: false,
  lost: 0,
  prev: null,
  ack: 0,
  limits: { packet: 1e6, body: 1e6, window: 9, bytes: 1e6, requests: 9, ack: { items: 9, bytes: 1e6, ms: 5000 } },
  ping: 12500,
  poll: 20000,
  resume: 120000,
};

/** The server's end of the line. */
class Server implements WebSocketLike {
  static last: Server;
  binaryType = "";
  readonly heard: any[] = [];
  readonly #listeners: Record<string, (event: unknown) => void> = {};

  constructor() {
    Server.last = this;
    queueMicrotask(() => this.say({ sente: 1, packer: "json", hello: 10000 }));
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners[type] = listener;
  }

  say(plain: unknown): void {
    this.#listeners.message?.({ data: JSON.stringify(plain) });
  }

  send(text: string): void {
    const plain = JSON.parse(text);
    if (plain.hello) this.say([["chsk/handshake", ["ada", null, null, INFO]], null, 0]);
    else this.heard.push(plain);
  }

  close(): void {}
}

async function talking(talk: (client: Client, server: Server) => Promise<void>): Promise<void> {
  const client = connect("http://127.0.0.1/chsk", { transport: "ws", WebSocket: Server });
  await client.ready;
  try {
    await talk(client, Server.last);
  } finally {
    client.disconnect();
  }
}

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test("what a handler returns is the reply", () =>
  talking(async (client, server) => {
    client.on("app/sync", (data) => [data]);
    client.on("app/sync", () => assert.fail("only the first handler answers"));
    client.on("*", () => assert.fail("a request is no event"));
    client.on("app/async", async (data) => ({ data }));
    client.on("app/nothing", () => {});
    server.say([["app/sync", 1], 1, 1, null, "request"]);
    server.say([["app/async", 2], 2, 2, null, "request"]);
    server.say([["app/nothing"], 3, 3, null, "request"]);
    await later();
    assert.deepEqual(
      server.heard.map(([value, ref, , , status]) => [value, ref, status]),
      [
        [[1], 1, "reply"],
        [{ data: 2 }, 2, "reply"],
        [null, 3, "reply"],
      ],
    );
  }));

test("what a handler throws is the error", (t) =>
  talking(async (client, server) => {
    const reported = t.mock.method(console, "error", () => {});
    client.on("app/no", (data) => {
      throw new RequestFailed("no", "not today", data);
    });
    client.on("app/no-data", () => {
      throw new RequestFailed("no", "not today", later);
    });
    client.on("app/broken", () => (undefined as any).secret);
    client.on("app/unpackable", () => later);
    for (const [i, id] of ["app/no", "app/no-data", "app/broken", "app/unpackable", "app/unknown"].entries()) {
      server.say([[id, [1]], i + 1, i + 1, null, "request"]);
    }
    await later();
    assert.deepEqual(
      server.heard.map(([{ code, data }, ref, , , status]) => [code, data, ref, status]).sort((a, b) => a[2] - b[2]),
      [
        ["no", [1], 1, "error"],
        ["no", null, 2, "error"],
        ["internal", null, 3, "error"],
        ["internal", null, 4, "error"],
        ["no_handler", null, 5, "error"],
      ],
    );
    assert.equal(reported.mock.callCount(), 2);
    assert.ok(!JSON.stringify(server.heard).includes("secret"));
  }));

test("a handler is told when nobody waits any more", () =>
  talking(async (client, server) => {
    let stop: AbortSignal | undefined;
    client.on("app/slow", (_data, _id, signal) => {
      stop = signal;
      return new Promise((resolve) => signal?.addEventListener("abort", () => resolve("too late")));
    });
    server.say([["app/slow"], 1, 1, null, "request"]);
    await later();
    assert.equal(stop?.aborted, false);
    server.say([[["chsk/cancel", 1]]]);
    await later();
    assert.equal(stop?.aborted, true);
    assert.deepEqual(
      server.heard.map(([value, ref, , , status]) => [value.code, ref, status]),
      [["cancelled", 1, "error"]],
    );
  }));

test("the server is told when a request is aborted", () =>
  talking(async (client, server) => {
    const controller = new AbortController();
    const asked = client.request("app/ask", 1, { signal: controller.signal });
    await later();
    controller.abort(new Error("changed my mind"));
    await assert.rejects(asked, /changed my mind/);
    await later();
    assert.deepEqual(server.heard, [
      [["app/ask", 1], 1, 1, null, "request"],
      [[["chsk/cancel", 1]], null, 2],
    ]);
  }));

// How what a client says is delivered: to a server played by hand, over a WebSocket that is none.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connect, type Options, type WebSocketLike } from "../src/index.js";

class Socket implements WebSocketLike {
  static last: Socket;
  binaryType = "";
  bufferedAmount = 0;
  readonly sent: unknown[] = [];
  readonly #listeners: Record<string, (event: unknown) => void> = {};

  constructor() {
    Socket.last = this;
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners[type] = listener;
  }

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(): void {}

  hear(packet: unknown): void {
    this.#listeners.message?.({ data: JSON.stringify(packet) });
  }

  lose(): void {
    this.#listeners.close?.({ code: 1006, reason: "" });
  }
}

const INFO = {
  v: 1, session: "token", resumed: false, lost: 0, prev: null, ack: 0, ping: 12_500, poll: 20_000, resume: 120_000,
  limits: { packet: 2 ** 20, body: 2 ** 22, window: 256, bytes: 2 ** 20, requests: 64, ack: { items: 64, bytes: 2 ** 18, ms: 5000 } },
};
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

async function greet(info: object = INFO): Promise<Socket> {
  await turn();
  const socket = Socket.last;
  socket.hear({ sente: 1, packer: "json", hello: 10_000 });
  await turn();
  socket.hear([["chsk/handshake", ["ada", null, null, info]], null, 0]);
  await turn();
  socket.sent.shift(); // the hello
  return socket;
}

async function open(t: TestContext, options: Options) {
  const client = connect("http://localhost/chsk", { transport: "ws", WebSocket: Socket, ...options });
  t.after(() => client.disconnect());
  return { client, socket: await greet() };
}

const delivery: Options["delivery"] = {
  "map/at": "volatile",
  "map/position": (data: { name: string }) => data.name,
  "map/zoom": () => "",
};

test("only the latest of those with the same key leaves, and at the end", async (t) => {
  const { client, socket } = await open(t, { delivery });
  client.send("map/position", { name: "ada", x: 1 });
  client.send("map/zoom", 1);
  client.send("map/position", { name: "bob", x: 1 });
  client.send("chat/say", "there");
  client.send("map/position", { name: "ada", x: 2 });
  client.send("map/zoom", 2);
  await turn();
  assert.deepEqual(socket.sent, [
    [[["map/position", { name: "bob", x: 1 }], ["chat/say", "there"], ["map/position", { name: "ada", x: 2 }], ["map/zoom", 2]], null, 1],
  ]);
});

test("what is volatile has no number, and is not sent to a server that does not read", async (t) => {
  const { client, socket } = await open(t, { delivery });
  client.send("map/at", 1);
  client.send("chat/say", "a");
  await turn();
  assert.deepEqual(socket.sent.splice(0), [[[["chat/say", "a"]], null, 1], [[["map/at", 1]], null, 0]]);
  socket.bufferedAmount = 65_537;
  client.send("map/at", 2);
  client.send("chat/say", "b");
  await turn();
  socket.bufferedAmount = 65_536;
  client.send("map/at", 3);
  await turn();
  assert.deepEqual(socket.sent, [[[["chat/say", "b"]], null, 2], [[["map/at", 3]], null, 0]]);
});

test("a request is asked whatever its event's class is", async (t) => {
  const { client, socket } = await open(t, { delivery });
  const asked = [client.request("map/zoom", 1), client.request("map/at", 2)];
  await turn();
  assert.deepEqual(socket.sent, [[["map/zoom", 1], 1, 1, null, "request"], [["map/at", 2], 2, 2, null, "request"]]);
  socket.hear([1, 1, 1, 2, "reply"]);
  socket.hear([2, 2, 2, 2, "reply"]);
  assert.deepEqual(await Promise.all(asked), [1, 2]);
});

test("what is idempotent is asked again in the next session", async (t) => {
  const { client, socket } = await open(t, {});
  const once = assert.rejects(client.request("bank/book", 1), { name: "Disconnected" });
  const again = client.request("bank/balance", 2, { idempotent: true });
  await turn();
  assert.equal(socket.sent.length, 2);
  socket.lose();
  const next = await greet({ ...INFO, session: "another", prev: 2 });
  await once;
  assert.deepEqual(next.sent, [[["bank/balance", 2], 2, 1, null, "request"]]);
  next.hear(["5", 2, 1, 1, "reply"]);
  assert.equal(await again, "5");
});

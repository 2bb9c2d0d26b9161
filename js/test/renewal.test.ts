// New credentials in the running session: what the client asks the server, and what it says in its next hello.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connect, Disconnected, json, type Options, RequestFailed, type WebSocketLike, type Wire } from "../src/index.js";

class Socket implements WebSocketLike {
  static last: Socket;
  binaryType = "";
  readonly sent: any[] = [];
  readonly #listeners: Record<string, (event: unknown) => void> = {};

  constructor(readonly url: string) {
    Socket.last = this;
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners[type] = listener;
  }

  send(data: Wire): void {
    this.sent.push(JSON.parse(data as string));
  }

  close(): void {}

  hear(...packets: unknown[]): void {
    for (const packet of packets) this.#listeners.message?.({ data: JSON.stringify(packet) });
  }

  lose(code: number, reason: string): void {
    this.#listeners.close?.({ code, reason });
  }
}

const INFO = {
  v: 1, session: "token", resumed: false, lost: 0, prev: null, ack: 0, ping: 12_500, poll: 20_000, resume: 120_000,
  limits: { packet: 2 ** 20, body: 2 ** 22, window: 256, bytes: 2 ** 20, requests: 64, ack: { items: 64, bytes: 2 ** 18, ms: 5000 } },
};
const REFUSED = { code: "forbidden", message: "not authorized", data: { status: 401 } };
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

async function greet(uid = "ada"): Promise<Socket> {
  await turn();
  const socket = Socket.last;
  socket.hear({ sente: 1, packer: "json", hello: 10_000 });
  await turn();
  socket.hear([["chsk/handshake", [uid, null, null, INFO]], null, 0]);
  await turn();
  return socket;
}

async function open(t: TestContext, options: Options) {
  const settings = { backoffBase: 1, backoffCap: 1 };
  const client = connect("http://localhost/chsk", { transport: "ws", WebSocket: Socket, packers: [json], settings, ...options });
  t.after(() => client.disconnect());
  return { client, socket: await greet() };
}

/** What the client says in its next hello. */
async function nextHello(socket: Socket): Promise<unknown> {
  socket.lose(1006, "");
  const next = await greet();
  assert.notEqual(next, socket);
  return next.sent[0].auth;
}

test("given credentials take the place of the option once the server has them", async (t) => {
  const { client, socket } = await open(t, { auth: () => "Bearer old" });
  assert.equal(socket.sent[0].auth, "Bearer old");
  const renewed = client.reauthenticate("Bearer new");
  await turn();
  assert.deepEqual(socket.sent.at(-1), [["chsk/auth", { auth: "Bearer new" }], 1, 1, null, "request"]);
  socket.hear([{ expires_in: 300_000 }, 1, 1, 1, "reply"]);
  assert.equal(await renewed, 300_000);
  assert.equal(await nextHello(socket), "Bearer new");
});

test("without any it asks the option anew, and refused ones change nothing", async (t) => {
  const said = ["Bearer 1", "Bearer 2"];
  const { client, socket } = await open(t, { auth: async () => said.shift() ?? null });
  const renewed = client.reauthenticate();
  await turn();
  assert.deepEqual(socket.sent.at(-1)[0], ["chsk/auth", { auth: "Bearer 2" }]);
  socket.hear([{ expires_in: null }, 1, 1, 1, "reply"]);
  assert.equal(await renewed, null);
  const refused = client.reauthenticate("Bearer eve");
  await turn();
  socket.hear([REFUSED, 2, 2, 2, "error"]);
  await assert.rejects(refused, (error) => error instanceof RequestFailed && error.code === "forbidden");
  assert.ok(client.state.open);
  assert.equal(await nextHello(socket), null);
});

test("a value is not renewed by itself: the state says when the line will be closed", async (t) => {
  const { client, socket } = await open(t, { auth: "Bearer ada" });
  const before = socket.sent.length;
  socket.hear([[["chsk/auth-due", { in: 30_000 }]], null]);
  await turn();
  assert.ok(Math.abs(client.state.authExpires! - Date.now() - 30_000) < 1000);
  assert.equal(socket.sent.length, before);
  socket.lose(4401, "the credentials have expired");
  const { authExpires, refused, nextReconnect } = client.state;
  assert.deepEqual([authExpires, refused?.code, nextReconnect], [null, 4401, null]);
  await assert.rejects(client.reauthenticate("Bearer new"), Disconnected);
  client.reconnect();
  assert.equal((await greet()).sent[0].auth, "Bearer new");
  assert.equal(client.state.refused, null);
});

test("a function is asked when the server warns", async (t) => {
  let asked = 0;
  const { client, socket } = await open(t, { auth: () => `Bearer ${++asked}` });
  socket.hear([[["chsk/auth-due", { in: 30_000 }]], null]);
  await turn();
  assert.deepEqual(socket.sent.at(-1)[0], ["chsk/auth", { auth: "Bearer 2" }]);
  assert.notEqual(client.state.authExpires, null);
  socket.hear([{ expires_in: 300_000 }, 1, 2, 1, "reply"]);
  await turn();
  assert.deepEqual([client.state.authExpires, client.state.open, asked], [null, true, 2]);
});

test("a renewal that fails is reported, one that is cut off is not", async (t) => {
  const reported: unknown[] = [];
  const told = console.error;
  console.error = (error) => reported.push(error);
  t.after(() => (console.error = told));
  const { socket } = await open(t, { auth: () => "Bearer ada" });
  socket.hear([[["chsk/auth-due", { in: 30_000 }]], null]);
  await turn();
  socket.hear([REFUSED, 1, 2, 1, "error"]);
  await turn();
  assert.deepEqual(reported.map((error) => (error as RequestFailed).code), ["forbidden"]);
  socket.hear([[["chsk/auth-due", { in: 20_000 }]], null]);
  await turn();
  socket.lose(4410, "another user is logged in");
  await greet("bob");
  assert.equal(reported.length, 1);
});

test("what was said as one user is given back when another is logged in", async (t) => {
  const { client, socket } = await open(t, {});
  const unconfirmed: unknown[] = [];
  client.addEventListener("unconfirmed", ({ detail }) => unconfirmed.push(...detail));
  client.send("app/say", "as ada");
  const asked = assert.rejects(client.request("app/ask"), Disconnected);
  await turn();
  socket.lose(4410, "another user is logged in");
  const next = await greet("bob");
  await asked;
  assert.deepEqual(unconfirmed, [{ id: "app/say", data: "as ada" }]);
  assert.deepEqual([client.state.uid, next.sent.length], ["bob", 1]);
});

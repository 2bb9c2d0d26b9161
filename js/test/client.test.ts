// A client and a server played by hand, over a WebSocket that is none: which packer is spoken, and what it carries.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { auto, connect, json, Keyword, type Options, PackError, type Packer, type WebSocketLike, type Wire } from "../src/index.js";
import { msgpack } from "../src/packers/msgpack.js";

class Socket implements WebSocketLike {
  static last: Socket;
  binaryType = "";
  readonly sent: Wire[] = [];
  readonly #listeners: Record<string, (event: unknown) => void> = {};

  constructor(readonly url: string) {
    Socket.last = this;
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners[type] = listener;
  }

  send(data: Wire): void {
    this.sent.push(data);
  }

  close(): void {}

  hear(data: string | Uint8Array): void {
    this.#listeners.message?.({ data: typeof data === "string" ? data : data.slice().buffer });
  }
}

const INFO = {
  v: 1, session: "token", resumed: false, lost: 0, prev: null, ack: 0, ping: 12_500, poll: 20_000, resume: 120_000,
  limits: { packet: 2 ** 20, body: 2 ** 22, window: 256, bytes: 2 ** 20, requests: 64, ack: { items: 64, bytes: 2 ** 18, ms: 5000 } },
};
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** A client that is open, its socket, and what the server packs with. */
async function open(t: TestContext, options: Options, packer: string, server: Packer) {
  const client = connect("http://localhost/chsk", { transport: "ws", WebSocket: Socket, ...options });
  t.after(() => client.disconnect());
  await turn();
  const socket = Socket.last;
  socket.hear(JSON.stringify({ sente: 1, packer, hello: 10_000 }));
  await turn();
  assert.equal(typeof socket.sent[0], "string", "the hello is JSON text whatever the packer");
  socket.hear(server.pack([["chsk/handshake", ["ada", null, null, INFO]], null, 0]));
  await client.ready;
  return { client, socket };
}

const offered = (socket: Socket): string | null => new URL(socket.url).searchParams.get("packers");

test("by default it offers auto and json, and types arrive as they were", async (t) => {
  const { client, socket } = await open(t, {}, "auto+gzip+msgpack", auto());
  assert.equal(offered(socket), "auto,json");
  const events: unknown[] = [];
  client.on("a/b", (data) => events.push(data));
  socket.hear(auto().pack([[["a/b", new Set([new Keyword("k")])]], null]));
  assert.deepEqual(events, [new Set([new Keyword("k")])]);
  client.send("c/d", { at: new Date(0) });
  await turn();
  assert.equal(socket.sent[1], '[[["c/d",{"at":"~t1970-01-01T00:00:00.000Z"}]],null,1]', "it has no msgpack to write");
});

for (const [named, form] of [["auto+msgpack", "object"], ["auto+zstd", "string"]] as const) {
  test(`with msgpack it offers that, and to a server that is ${named} it sends ${form === "object" ? "it" : "text"}`, async (t) => {
    const { client, socket } = await open(t, { packers: [auto({ msgpack }), json] }, named, auto({ msgpack }));
    assert.equal(offered(socket), "auto+msgpack,json");
    client.send("c/d", 1);
    await turn();
    assert.equal(typeof socket.sent[1], form);
    assert.deepEqual(auto({ msgpack }).unpack(socket.sent[1] as Wire), [[["c/d", 1]], null, 1]);
    });
}

test("msgpack alone", async (t) => {
  const { client, socket } = await open(t, { packers: [msgpack] }, "msgpack", msgpack);
  assert.equal(offered(socket), "msgpack");
  const asked = client.request("c/d", [2n ** 60n]);
  await turn();
  assert.deepEqual(msgpack.unpack(socket.sent[1] as Wire), [["c/d", [2n ** 60n]], 1, 1, null, "request"]);
  socket.hear(msgpack.pack([new Uint8Array([1]), 1, 1, 1, "reply"]));
  assert.deepEqual(await asked, new Uint8Array([1]));
});

test("what cannot be packed is refused at once, and says where it is", async (t) => {
  const { client, socket } = await open(t, { packers: [json] }, "json", json);
  assert.throws(() => client.send("c/d", { items: [{ price: NaN }] }), (error) => {
    assert.ok(error instanceof PackError);
    assert.equal(error.path, "data.items[0].price");
    assert.match(error.message, /^data\.items\[0\]\.price: NaN .* \(c\/d, as json\)$/);
    return true;
  });
  const deepest = Array.from({ length: 247 }).reduce<unknown>((inner) => [inner], 0);
  assert.ok(client.send("c/d", deepest), "it lies three deep in its packet");
  assert.throws(() => client.send("c/d", [deepest]), PackError);
  await turn();
  assert.equal(socket.sent.length, 2);
});

test("a packer that was not offered breaks the line", async (t) => {
  const client = connect("http://localhost/chsk", { transport: "ws", WebSocket: Socket });
  t.after(() => client.disconnect());
  await turn();
  Socket.last.hear(JSON.stringify({ sente: 1, packer: "cbor", hello: 10_000 }));
  assert.match(client.state.lastClose?.message ?? "", /packer cbor, which was not offered/);
});

for (const [clean, code] of [[true, 4000], [false, 1006]] as const) {
  test(`a line that is broken on purpose${clean ? ", cleanly," : ""} is replaced by itself`, async (t) => {
    const ends: unknown[] = [];
    class Ending extends Socket {
      override close(...[code]: unknown[]): void {
        ends.push(code);
      }
      terminate(): void {
        ends.push(1006);
      }
    }
    const { client, socket } = await open(t, { WebSocket: Ending, settings: { backoffBase: 0 } }, "json", json);
    const asked = client.request("c/d");
    client.breakConnection({ clean });
    assert.deepEqual([ends[0], client.state.open, client.state.lastClose?.message], [code, false, "broken on purpose"]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.notEqual(Socket.last, socket);
    client.disconnect();
    await assert.rejects(asked, { name: "Disconnected" }, "it was kept until then");
  });
}

// A classic client with its driver: where things are said to a Sente server, and what bad answers come to.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { connectClassic, type ClassicOptions } from "../src/classic.js";
import { connect } from "../src/index.js";
import { binaryJson, later, next, Server, Socket } from "./classic-server.js";

const GREETING = [["chsk/handshake", ["ada", null, null]], null];

function served(t: TestContext, options: ClassicOptions) {
  const server = new Server();
  const client = server.connect(options);
  t.after(() => client.disconnect());
  return { server, client };
}

/** A client that is open, and its socket or first poll. */
async function talking(t: TestContext, options: ClassicOptions = {}) {
  const { server, client } = served(t, { transport: "ws", ...options });
  const socket = await server.socket();
  socket.hear(GREETING);
  await client.ready;
  return { server, client, socket };
}

async function polling(t: TestContext, options: ClassicOptions = {}) {
  const { server, client } = served(t, { transport: "poll", ...options });
  (await server.request("GET")).answer(GREETING);
  await client.ready;
  return { server, client, poll: await server.request("GET") };
}

test("what makes no sense is refused at once", () => {
  assert.throws(() => connectClassic("http://h/chsk", { params: { "csrf-token": "x" } }), /params: "csrf-token" is a name/);
  assert.throws(() => connectClassic("http://h/chsk", { auth: "Bearer x" } as ClassicOptions), /put it into headers/);
  assert.throws(() => connectClassic("http://h/chsk", { packers: [] } as ClassicOptions), /name one packer/);
});

test("new credentials are for reconnect()", async (t) => {
  const { client, socket } = await talking(t);
  const said = socket.sent.length;
  await assert.rejects(client.reauthenticate("Bearer x"), /reconnect\(\) only/);
  assert.equal(socket.sent.length, said); // nothing that the server would take for an event
});

test("it says how it is connected", async (t) => {
  const { client, socket } = await talking(t, { params: { room: "go" } });
  const { transport, packer, uid, clientId } = client.state;
  assert.deepEqual([transport, packer, uid], ["ws", "json", "ada"]);
  assert.equal(socket.url.href, `ws://localhost/chsk?room=go&client-id=${clientId}`);
});

test("the CSRF token is in the URL of a WebSocket, asked anew for each", async (t) => {
  const tokens = ["o&ne", "two"];
  const { server, client, socket } = await talking(t, { csrf: async () => tokens.shift() });
  assert.equal(socket.url.searchParams.get("csrf-token"), "o&ne");
  client.reconnect();
  assert.equal((await server.socket()).url.searchParams.get("csrf-token"), "two");
  assert.deepEqual(socket.closed, [[4000, "requested-reconnect"]]);
});

test("and in a header of polls and POSTs, beside others", async (t) => {
  const { server, client, poll } = await polling(t, { csrf: () => "tok", headers: { "X-App": "1" } });
  client.send("a/b", "先 手+");
  const post = await server.request("POST");
  for (const { url, init } of [poll, post]) {
    const { "X-CSRF-Token": token, "X-App": app } = init.headers as Record<string, string>;
    assert.deepEqual([token, app, url.searchParams.has("csrf-token")], ["tok", "1", false]);
    assert.ok(Math.abs(Number(url.searchParams.get("udt")) - Date.now()) < 60_000);
  }
  assert.deepEqual(JSON.parse(new URLSearchParams(post.init.body as string).get("ppstr") as string), [["a/b", "先 手+"], null]);
});

test("a client that gives up while its token is fetched opens nothing", async (t) => {
  let tell!: (token: string) => void;
  const { server, client } = served(t, { transport: "ws", csrf: () => new Promise((resolve) => (tell = resolve)) });
  await later();
  client.disconnect();
  tell("tok");
  await later();
  assert.deepEqual(server.sockets, []);
});

test("a token that cannot be had is a failed attempt", async (t) => {
  const { server, client } = served(t, { csrf: () => Promise.reject(new Error("logged out")) });
  await later();
  await later();
  assert.match(client.state.lastClose?.message ?? "", /logged out/);
  assert.deepEqual([server.sockets, server.requests, client.state.open], [[], [], false]);
});

test("auto polls where no WebSocket opens", async (t) => {
  const { server, client } = served(t, {});
  (await server.socket()).end(1006);
  (await server.request("GET")).answer(GREETING);
  await client.ready;
  assert.deepEqual([client.state.transport, client.state.lastWsError?.reason], ["poll", "downgrading-ws-to-poll"]);
});

test("without any WebSocket it polls, too", async (t) => {
  const known = globalThis.WebSocket;
  Object.assign(globalThis, { WebSocket: undefined });
  t.after(() => Object.assign(globalThis, { WebSocket: known }));
  const asked: string[] = [];
  const fetch = async (url: unknown) => (asked.push(String(url)), Response.json(GREETING));
  const client = connectClassic("http://localhost/chsk", { fetch: fetch as typeof globalThis.fetch });
  await client.ready;
  client.disconnect();
  assert.match(asked[0] ?? "", /handshake%3F=1/);
});

test("a refusal is final", async (t) => {
  const { server, client } = served(t, { transport: "poll" });
  (await server.request("GET")).answer("Bad CSRF token", 403);
  await assert.rejects(client.ready, /refused this client \(403\)/);
  assert.deepEqual([client.state.refused?.code, client.state.nextReconnect], [403, null]);
});

test("over HTTP bytes travel as bytes", async (t) => {
  const { server, client, poll } = await polling(t, { packer: binaryJson });
  const got: unknown[] = [];
  client.on("a/b", (data) => got.push(data));
  poll.answer([[["a/b", 1]], null]);
  const asked = client.request("c/d", 2);
  const { url, init, answer } = await server.request("POST");
  assert.equal(url.searchParams.get("binary?"), "true");
  assert.equal(new TextDecoder().decode(init.body as Uint8Array<ArrayBuffer>), '[["c/d",2],"ajax"]');
  answer([3, null]);
  assert.deepEqual([await asked, got, client.state.packer], [3, [1], "binary-json"]);
});

test("what cannot be read costs the line, and says why", async (t) => {
  const { server, client, socket } = await talking(t);
  const other = (await polling(t)).poll;
  socket.hear({ no: "message" });
  assert.equal(client.state.lastClose?.message, "a message is a list [message, callback]");
  assert.deepEqual(socket.closed, [[4400, "a message is a list [message, callback]"]]);
  other.answer({ no: "message" });
  (await server.socket()).hear({ sente: 1, packer: "json" });
  assert.match(client.state.lastClose?.message ?? "", /no handshake of Sente's/);
});

test("first words that cannot be unpacked", async (t) => {
  const { server, client } = served(t, { transport: "ws", packer: binaryJson });
  (await server.socket()).hear(GREETING); // as text
  assert.match(client.state.lastClose?.message ?? "", /a frame cannot be unpacked/);
});

test("while the application is behind, a WebSocket that can wait is not read", async (t) => {
  const { client, socket } = await talking(t, { settings: { limits: { backlog: 2 } } });
  const held: (() => void)[] = [];
  client.on("a/b", () => new Promise<void>((resolve) => held.push(resolve)));
  socket.hear([[["a/b", 1]], null]);
  assert.equal(socket.paused, false);
  socket.hear([[["a/b", 2]], null]);
  assert.equal(socket.paused, true);
  held.shift()?.();
  await later();
  assert.equal(socket.paused, false);
  socket.hear([[["a/b", 3]], null]);
  assert.equal(socket.paused, true);
  client.disconnect();
  assert.deepEqual([socket.paused, socket.closed], [false, [[1000, "goodbye"]]]);
});

test("the WebSocket of ws is one, and can be closed while it waits", async (t) => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  t.after(() => server.close());
  const closed = new Promise<number>((resolve) => {
    server.on("connection", (line) => {
      line.on("close", resolve);
      line.send(JSON.stringify(GREETING));
      for (let i = 0; i < 400; i++) line.send(JSON.stringify([[["a/b", "x".repeat(100_000)]], null]));
    });
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connectClassic(`ws://127.0.0.1:${port}/chsk`, { transport: "ws", WebSocket, settings: { limits: { backlog: 4 } } });
  let got = 0;
  client.on("a/b", () => new Promise(() => (got += 1)));
  await client.ready;
  while (got < 4) await later();
  await new Promise((resolve) => setTimeout(resolve, 200)); // time enough for all 400
  assert.ok(got < 20, `${got} of 400 were read`);
  client.disconnect();
  assert.equal(await closed, 1000);
});

test("what is said at the end outlives the page, if it is small", async (t) => {
  const { server, client, poll } = await polling(t);
  client.send("a/b", 1);
  client.send("a/b", "x".repeat(60_000));
  client.disconnect();
  const posts = [await server.request("POST"), await server.request("POST")];
  assert.deepEqual(posts.map(({ init }) => init.keepalive), [true, false]);
  assert.deepEqual(server.aborted, [poll], "the POSTs go on");
});

test("a failed request", async (t) => {
  const { client, socket } = await talking(t);
  const asked = client.request("c/d", 2);
  const [, ref] = JSON.parse((await next(socket.sent)) as string);
  socket.hear(["chsk/error", ref]);
  await assert.rejects(asked, { name: "RequestFailed", code: "error" });
});

test("a request that is aborted over HTTP is given up", async (t) => {
  const { server, client } = await polling(t);
  const controller = new AbortController();
  const asked = client.request("c/d", 2, { signal: controller.signal });
  const post = await server.request("POST");
  controller.abort(new Error("changed my mind"));
  await assert.rejects(asked, /changed my mind/);
  await later();
  assert.deepEqual(server.aborted, [post]);
  assert.ok(client.state.open);
});

test("a session client at a Sente server says what would work", async (t) => {
  let socket: Socket | undefined;
  class Opened extends Socket {
    constructor(url: string) {
      super(new URL(url));
      socket ??= this;
    }
  }
  const client = connect("http://localhost/chsk", { transport: "ws", WebSocket: Opened });
  t.after(() => client.disconnect());
  await later();
  socket?.hear(GREETING);
  assert.equal(client.state.lastClose?.message, "this is a Sente server: use sente-client/classic");
});

// The life of a page around a client: it sleeps, is put away, comes back, and ends.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test, type TestContext } from "node:test";
import { Disconnected, RequestTimeout, type Client, type Options } from "../src/index.js";
import { Page, Server, turn } from "./played-server.js";

let page: Page;
beforeEach(() => void (page = Page.install()));
afterEach(() => Page.remove());

async function open(t: TestContext, options: Options = {}): Promise<{ client: Client; server: Server }> {
  const server = new Server();
  const client = server.client(options);
  t.after(() => client.disconnect());
  await client.ready;
  return { client, server };
}

for (const [name, wake] of [
  ["it becomes visible", () => page.tell("visibilitychange")],
  ["it was frozen", () => page.tell("resume")],
  ["the network is back", () => page.tell("online")],
  ["the network is gone", () => page.tell("offline")],
  ["it comes from the cache", () => page.tell("pageshow", { persisted: true })],
] as const) {
  test(`when ${name}, the line is pinged at once, and given up soon`, async (t) => {
    const { client, server } = await open(t, { settings: { wakeTimeout: 30 } });
    const before = server.line;
    wake();
    assert.equal(before.pings, 1);
    await turn(60);
    assert.equal(client.state.open && server.line, before, "it has answered");
    server.answers = false;
    wake();
    await turn(60);
    assert.equal(before.pings, 2);
    assert.equal(client.state.lastWsClose?.message, "no sign of life");
    assert.notEqual(server.line, before);
  });
}

test("a page that is hidden, or just loaded, pings nobody", async (t) => {
  const { server } = await open(t);
  page.visibilityState = "hidden";
  page.tell("visibilitychange");
  page.tell("pageshow", { persisted: false });
  assert.equal(server.line.pings, 0);
});

test("a page that is put away leaves its line without goodbye, and resumes when it is back", async (t) => {
  const { client, server } = await open(t);
  page.tell("pagehide");
  assert.equal(server.line.closed, 4000);
  assert.equal(client.state.open, false);
  assert.equal(client.state.lastClose?.reason, "page-hidden");
  await turn(20);
  assert.equal(server.sockets.length, 1, "it stays away");
  page.tell("pageshow", { persisted: true });
  await turn(5);
  assert.equal(server.hellos, 2);
  assert.deepEqual([client.state.open, client.state.resumed, client.state.lost], [true, true, 0]);
});

test("a clock that jumped means that the machine slept", async (t) => {
  const { client, server } = await open(t);
  client.send("a/b");
  await turn();
  assert.equal(server.line.pings, 0);
  const now = Date.now;
  t.mock.method(Date, "now", () => now() + 11_000);
  client.send("a/b");
  await turn();
  client.send("a/b");
  await turn();
  assert.equal(server.line.pings, 1);
});

test("a timer that comes far too late gives what waits to be read a moment", async (t) => {
  const { client, server } = await open(t, { settings: { ping: 20, pingTimeout: 10, wakeTimeout: 5000 } });
  server.answers = false;
  await turn(25);
  assert.equal(server.line.pings, 1);
  for (const until = performance.now() + 60; performance.now() < until; ); // nothing moves, as in a frozen page
  await turn(5);
  assert.equal(server.line.pings, 2);
  assert.ok(client.state.open);
});

test("who waits for the next attempt makes it when the network is back, but not before the server allows it", async (t) => {
  const { client, server } = await open(t, { settings: { backoffBase: 3_600_000 } });
  server.refuses = { code: 1006, reason: "" };
  server.line.end();
  await turn(5);
  assert.equal(server.sockets.length, 2);
  page.tell("online");
  await turn(5);
  assert.equal(server.sockets.length, 3);
  server.refuses = { code: 4503, reason: "retry_after=60000" };
  page.tell("online");
  await turn(5);
  page.tell("online");
  await turn(5);
  assert.equal(server.sockets.length, 4);
  assert.ok((client.state.nextReconnect as number) > Date.now() + 50_000);
});

test("after disconnect() nothing of the page is heard, after reconnect() again", async (t) => {
  const { client, server } = await open(t);
  assert.equal(page.listeners, 6);
  client.disconnect();
  assert.equal(page.listeners, 0);
  page.tell("pageshow", { persisted: true });
  await turn(5);
  assert.equal(server.sockets.length, 1);
  client.reconnect();
  await turn(5);
  assert.equal(page.listeners, 6);
  assert.ok(client.state.open);
});

// -- said without a line

test("what is said without a line is refused, or kept for the next one", async (t) => {
  const { client, server } = await open(t, { settings: { backoffBase: 3_600_000 } });
  page.tell("pagehide");
  assert.equal(client.send("a/b", 1), false);
  await assert.rejects(client.request("a/b", 2), Disconnected);
  assert.equal(client.send("a/b", 3, { queue: true }), true);
  const reply = client.request("a/b", 4, { queue: true });
  const late = client.request("a/b", 5, { queue: true, timeout: 10 });
  await assert.rejects(late, RequestTimeout);
  page.tell("pageshow", { persisted: true });
  assert.equal(await reply, 4);
  assert.deepEqual(server.heard, [["a/b", 3], ["a/b", 4]]);
});

test("with the option it is kept from the beginning; a call may say otherwise", async (t) => {
  const server = new Server();
  const client = server.client({ queue: true });
  t.after(() => client.disconnect());
  assert.equal(client.send("a/b", 1, { queue: false }), false);
  assert.equal(client.send("a/b", 2), true);
  assert.equal(await client.request("a/b", 3), 3);
  assert.deepEqual(server.heard, [["a/b", 2], ["a/b", 3]]);
  client.disconnect();
  assert.equal(client.send("a/b", 4), false, "there will be no next line");
});

test("no more is kept than the outbox holds", async (t) => {
  const server = new Server();
  const client = server.client({ queue: true, settings: { limits: { outbox: 2 } } });
  t.after(() => client.disconnect());
  const full = (): void => {
    for (let i = 0; i < 10; i++) client.send("a/b", i);
  };
  assert.throws(full, { name: "OutboxFull" });
});

// -- options that are functions

test("url and params are asked anew for each attempt", async (t) => {
  const server = new Server();
  let asked = 0;
  const params = async () => ({ try: String(++asked) });
  const client = server.client({ params }, () => `http://localhost/chsk${asked}`);
  t.after(() => client.disconnect());
  await client.ready;
  client.reconnect();
  await turn(5);
  const parts = server.urls.map((url) => [new URL(url).pathname, new URL(url).searchParams.get("try")]);
  assert.deepEqual(parts, [["/chsk0", "1"], ["/chsk1", "2"]]);
});

test("a url that cannot be asked for is a failed attempt, a wrong one the author's error", async (t) => {
  const server = new Server();
  const client = server.client({}, () => Promise.reject(new Error("not now")));
  t.after(() => client.disconnect());
  await turn(5);
  assert.match(client.state.lastClose?.message as string, /not now/);
  assert.throws(() => server.client({}, "http://"), TypeError);
});

// -- the end

test("close() resolves when the goodbye has left", async (t) => {
  const { client, server } = await open(t);
  await client.close();
  assert.equal(server.line.closed, 1000);
  assert.equal(client.state.lastClose?.reason, "requested-disconnect");
});

test("close() waits no longer than 2 s for a line that does not end", async (t) => {
  const { client, server } = await open(t, { settings: { ping: 20 } }); // its timer runs out, and no mock stands for it
  server.line.end = () => {};
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let over = false;
  const closing = client.close().then(() => (over = true));
  t.mock.timers.tick(1999);
  await Promise.resolve();
  assert.equal(over, false);
  t.mock.timers.tick(1);
  await closing;
});

test("a client is disposed of where there is a word for it", async (t) => {
  const { client, server } = await open(t);
  await client[Symbol.asyncDispose]();
  assert.equal(server.line.closed, 1000);
});

// -- once, and loops

test("once is called once", async (t) => {
  const { client, server } = await open(t);
  const got: unknown[] = [];
  client.once("a/b", (data) => got.push(data));
  client.once("a/b", (data) => got.push(data))();
  server.line.say([[["a/b", 1], ["a/b", 2]], null]);
  assert.deepEqual(got, [1]);
});

test("a loop takes what comes, in order, and is over with the client", async (t) => {
  const { client, server } = await open(t);
  const got: unknown[] = [];
  const events = client.events("a/b");
  const all = client.events("*");
  server.line.say([[["a/b", 1], ["a/c", 2], ["a/b", 3]], null]);
  client.disconnect();
  for await (const data of events) got.push(data);
  for await (const { id, data } of all) got.push(id, data);
  assert.deepEqual(got, [1, 3, "a/b", 1, "a/c", 2, "a/b", 3]);
  assert.deepEqual(await events.next(), { done: true, value: undefined });
});

test("a loop is left with break, or by a signal", async (t) => {
  const { client, server } = await open(t);
  const events = client.events<number>("a/b");
  server.line.say([[["a/b", 1], ["a/b", 2]], null]);
  for await (const data of events) {
    assert.equal(data, 1);
    break;
  }
  const controller = new AbortController();
  const next = client.events("a/b", { signal: controller.signal }).next();
  controller.abort();
  assert.deepEqual(await next, { done: true, value: undefined });
  assert.deepEqual(await client.events("a/b", { signal: controller.signal }).next(), { done: true, value: undefined });
});

test("a loop that lags holds acknowledgements back, until it goes on or is left", async (t) => {
  const server = new Server();
  server.wants = 1;
  const client = server.client({ settings: { limits: { backlog: 2 } } });
  t.after(() => client.disconnect());
  await client.ready;
  const acked: unknown[] = [];
  const take = server.take.bind(server);
  server.take = (socket, plain) => (plain[0] === null && acked.push(plain[3]), take(socket, plain));
  const events = client.events("a/b");
  server.line.say([Array.from({ length: 5 }, (_, i) => ["a/b", i]), null]);
  assert.deepEqual(acked, [2], "five came, and three are unhandled");
  await events.next();
  await turn();
  assert.deepEqual(acked, [2], "the loop has one, and is not done with it");
  await events.next();
  await turn();
  assert.deepEqual(acked, [2, 3]);
  await events.return?.();
  await turn();
  assert.equal(acked.at(-1), 5);
});

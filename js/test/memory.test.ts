// What a client has done leaves nothing behind: no listener, no timer, no buffer.

import assert from "node:assert/strict";
import { getEventListeners, setMaxListeners } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Client } from "../src/index.js";
import { Page, Server, turn } from "./played-server.js";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

async function heap(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await turn(1);
    gc();
  }
  return process.memoryUsage().heapUsed;
}

/** What the client does `times` times may cost so many bytes for good, once the engine has seen it a thousand times.
 *  What leaks does so each time: the engine's own book-keeping does not. */
async function assertLean(work: (times: number) => Promise<void>, times: number, bytes: number): Promise<void> {
  await work(Math.max(1000, times / 10));
  const grown: number[] = [];
  while (grown.length < 3 && !(Math.min(...grown) < bytes)) {
    const before = await heap();
    await work(times);
    grown.push((await heap()) - before);
  }
  assert.ok(Math.min(...grown) < bytes, `${grown.join(", ")} bytes more after ${times} times`);
}

async function using(work: (client: Client, server: Server, page: Page) => Promise<void>): Promise<void> {
  const page = Page.install();
  const server = new Server();
  const client = server.client({ settings: { stable: 0 } }); // each new line is made at once
  await client.ready;
  const before = timers();
  try {
    await work(client, server, page);
    assert.equal(page.listeners, 6);
    assert.ok(timers() <= before, `${timers()} timers, ${before} at first`);
    await client.close();
    assert.equal(page.listeners, 0);
    assert.ok(timers() < before, `${timers()} timers after the end`);
  } finally {
    await client.close(); // or a test that failed would never end
    Page.remove();
  }
}

test("100,000 events, and as many requests, leave nothing behind", () =>
  using(async (client, server) => {
    let [asked, heard] = [0, 0];
    const { signal } = new AbortController();
    setMaxListeners(50, signal);
    const got = client.events<number>("a/b");
    await assertLean(
      async (times) => {
        for (let i = 0; i < times; i += 100) {
          const replies = Array.from({ length: 50 }, (_, k) => client.request("a/ask", k, { signal }));
          for (let k = 0; k < 50; k++) {
            client.send("a/say", k);
            asked += 1;
            client.once("a/b", () => (heard += 1));
          }
          const events = Array.from({ length: 100 }, (_, k) => ["a/b", k]);
          await Promise.all(replies);
          server.push(events);
          for (let k = 0; k < 100; k++) await got.next();
          server.heard.length = 0;
        }
      },
      100_000,
      300_000,
    );
    assert.equal(heard, asked);
    assert.equal(getEventListeners(signal, "abort").length, 0);
    await got.return?.();
  }));

test("1,000 new lines leave nothing behind", () =>
  using(async (client, server) => {
    const lines: WeakRef<object>[] = [];
    await assertLean(
      async (times) => {
        for (let i = 0; i < times; i++) {
          server.line.end();
          await turn();
          assert.ok(client.state.open);
          lines.push(new WeakRef(server.sockets.shift() as object));
          server.urls.length = 0;
        }
      },
      1000,
      250_000,
    );
    const kept = lines.filter((line) => line.deref()).length;
    assert.ok(kept <= 2, `${kept} of ${lines.length} lines are still held`);
  }));

test("a client that was closed is collected, and its page with it", async () => {
  const page = Page.install();
  const make = async (): Promise<WeakRef<Client>> => {
    const client = new Server().client();
    await client.ready;
    client.on("a/b", () => {});
    await client.close();
    return new WeakRef(client);
  };
  const client = await make();
  await heap();
  Page.remove();
  assert.equal(client.deref(), undefined);
  assert.equal(page.listeners, 0);
});

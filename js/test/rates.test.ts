// What came too often: the asker is told when to come again, and what was dropped is told as an event.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, json, RequestFailed, type WebSocketLike, type Wire } from "../src/index.js";

class Socket implements WebSocketLike {
  static last: Socket;
  static opened = 0;
  binaryType = "";
  readonly sent: any[] = [];
  readonly #listeners: Record<string, (event: unknown) => void> = {};

  constructor(readonly url: string) {
    Socket.last = this;
    Socket.opened++;
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners[type] = listener;
  }

  send(data: Wire): void {
    this.sent.push(JSON.parse(data as string));
  }

  close(): void {}

  hear(packet: unknown): void {
    this.#listeners.message?.({ data: JSON.stringify(packet) });
  }

  lose(code: number, reason: string): void {
    this.#listeners.close?.({ code, reason });
  }
}

const INFO = {
  v: 1, session: "token", resumed: false, lost: 0, prev: null, ack: 0, ping: 12_500, poll: 20_000, resume: 120_000,
  limits: { packet: 2 ** 20, body: 2 ** 22, window: 256, bytes: 2 ** 20, requests: 64, ack: { items: 64, bytes: 2 ** 18, ms: 5000 } },
};
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test("a request that comes too often, and what is told of events", async (t) => {
  const chsk = connect("http://x/chsk", { packers: [json], transport: "ws", WebSocket: Socket });
  t.after(() => chsk.disconnect());
  const told: unknown[] = [];
  chsk.on("chsk/rate-limited", (data) => told.push(data));
  await turn();
  Socket.last.hear({ sente: 1, packer: "json", hello: 10_000 });
  await turn();
  Socket.last.hear([["chsk/handshake", ["ada", null, null, INFO]], null, 0]);
  await chsk.ready;

  const asked = chsk.request("chat/say", "hi");
  await turn();
  Socket.last.hear([{ code: "rate_limited", message: "chat/say comes too often", data: { retry_after: 40 } }, 1, 1, 1, "error"]);
  await assert.rejects(asked, (error: RequestFailed) => {
    assert.ok(error instanceof RequestFailed);
    assert.equal(error.code, "rate_limited");
    assert.deepEqual(error.data, { retry_after: 40 });
    return true;
  });

  const word = { id: "chat/say", dropped: 3, retry_after: 40 };
  Socket.last.hear([[["chsk/rate-limited", word], ["chsk/of-a-later-version", 1]], null]);
  assert.deepEqual(told, [word]);

  const opened = Socket.opened;
  Socket.last.lose(4429, "retry_after=60000");
  await turn();
  assert.equal(Socket.opened, opened, "it does not come back at once");
  assert.ok((chsk.state.nextReconnect ?? 0) > Date.now() + 50_000);
});

// Lines that break on purpose: what carries a frame, what does not, and what both ends hear of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { badConnection } from "../src/testing.js";
import type { WebSocketLike } from "../src/websocket.js";

class Socket implements WebSocketLike {
  static last: Socket;
  binaryType = "";
  readonly sent: unknown[] = [];
  readonly ended: unknown[] = [];
  readonly listeners: Record<string, (event: any) => void> = {};

  constructor(readonly url: string) {
    Socket.last = this;
  }

  addEventListener(type: string, listener: (event: any) => void): void {
    this.listeners[type] = listener;
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(...why: unknown[]): void {
    this.ended.push(why);
    this.listeners.close?.({ code: why[0] ?? 1005, reason: "" });
  }
}

class NodeSocket extends Socket {
  terminate(): void {
    this.ended.push("cut");
  }
}

/** A line that breaks at the `last` frame. */
function until(last: number): () => number {
  let frames = 0;
  return () => (++frames < last ? 0.9 : 0.1);
}

function open(WebSocket: typeof Socket, chance: () => number) {
  const { WebSocket: Bad } = badConnection(0.5, { WebSocket, chance });
  const socket = new Bad("ws://localhost/chsk");
  const heard: unknown[] = [];
  const closed: unknown[] = [];
  socket.addEventListener("message", ({ data }) => heard.push(data));
  socket.addEventListener("close", (event) => closed.push(event));
  return { socket, heard, closed, real: Socket.last };
}

test("a WebSocket carries what comes before it breaks, and nothing after", () => {
  const { socket, heard, closed, real } = open(Socket, until(3));
  socket.binaryType = "arraybuffer";
  assert.deepEqual([real.url, real.binaryType, socket.binaryType], ["ws://localhost/chsk", "arraybuffer", "arraybuffer"]);
  socket.send(1);
  real.listeners.message?.({ data: 2 });
  socket.send(3);
  socket.send(4);
  real.listeners.message?.({ data: 5 });
  assert.deepEqual([real.sent, heard, real.ended], [[1], [2], [[]]]);
  assert.deepEqual(closed, [{ code: 1006, reason: "" }], "whatever the browser says of it");
});

test("where a line can be cut it is cut, and an end that was meant is told as it is", () => {
  const cut = open(NodeSocket, until(1));
  cut.socket.send(1);
  assert.deepEqual([cut.real.sent, cut.real.ended], [[], ["cut"]]);
  const { socket, closed } = open(Socket, until(9));
  socket.close(1000, "goodbye");
  assert.deepEqual(closed, [{ code: 1000, reason: "" }]);
});

test("a request never arrives, or its answer does not", async () => {
  let arrived = 0;
  const fetch = async (): Promise<Response> => new Response(String(++arrived));
  await assert.rejects(badConnection(0.5, { fetch, chance: until(1) }).fetch("/"), TypeError);
  assert.equal(arrived, 0);
  await assert.rejects(badConnection(0.5, { fetch, chance: until(2) }).fetch("/"), TypeError);
  assert.equal(arrived, 1);
  assert.equal(await (await badConnection(0.5, { fetch, chance: until(3) }).fetch("/")).text(), "2");
});

test("a rate is a share of all frames", () => {
  for (const rate of [-0.1, 1.1, NaN]) assert.throws(() => badConnection(rate), RangeError);
});

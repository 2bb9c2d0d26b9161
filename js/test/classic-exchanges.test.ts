// What was observed on the wire of a real Sente server, its side played to our client: tests/classic/exchanges.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Client } from "../src/classic.js";
import { binaryJson, later, next, Server, type Request, type Socket } from "./classic-server.js";

type Plain = Record<string, any>;

const FILE = new URL("../../tests/classic/exchanges.json", import.meta.url);
const EXCHANGES: Plain[] = JSON.parse(readFileSync(FILE, "utf8")).exchanges;

/** Mistakes of a bare client that ours cannot be brought to make. */
const NOT_OURS = new Set(["ajax-get-missing-client-id", "security/csrf-post-param-wins"]);
const TOKENS: Record<string, string> = { "security/csrf-post-ok": "tok" };

/** One client, whose server says what was recorded. */
class Player {
  readonly client: Client;
  readonly server = new Server();
  readonly got: unknown[] = [];
  readonly outcomes = new Map<string, unknown>();
  readonly expected: unknown[] = [];
  readonly #requests = new Map<string, Request>();
  readonly #names = new Map<string, string>(); // their callbacks by ours
  readonly #asked: string[] = []; // callbacks over HTTP
  #socket: Socket | undefined;

  constructor(
    readonly transport: "ws" | "poll",
    readonly clientId: string,
    id: string,
    query: URLSearchParams,
  ) {
    const params = Object.fromEntries([...query].filter(([name]) => ["uid", "hs"].includes(name)));
    const csrf = TOKENS[id] ?? query.get("csrf-token");
    const packer = id.startsWith("binary/") ? { packer: binaryJson } : {};
    const settings = id === "ws-client-ping" ? { settings: { ping: 1 } } : {};
    this.client = this.server.connect({ transport, params, csrf, ...packer, ...settings });
    this.client.on("*", (data, event) => void this.got.push([event, data]));
  }

  async step(step: Plain): Promise<void> {
    switch (step.do) {
      case "open":
        this.#socket = await this.server.socket();
        return this.#sameQuery(this.#socket.url, step.query);
      case "hear":
        this.#socket?.hear(this.#theirs(step.value));
        return this.#effects(step.value);
      case "say":
        return this.#say(step.value);
      case "silence":
        await later();
        return assert.deepEqual(this.#socket?.sent.filter((frame) => !isPing(frame)), []);
      case "close":
        this.client.disconnect();
        return assert.deepEqual(this.#socket?.closed, [[step.code, "goodbye"]]);
      case "closed":
        if (this.#socket?.closed.length === 0) this.#socket.end(step.code);
        return assert.equal(this.client.state.open, false);
      case "request":
        return step.method === "GET" ? this.#get(step) : this.#post(step);
      case "answered":
        if (this.#socket) return this.#socket.end(1006);
        this.#requests.get(step.line)?.answer(step.value, step.status);
        return this.#effects(step.value);
    }
  }

  /** Polls as one does who had been greeted before the recording began. */
  async greeted(): Promise<void> {
    const { url, answer } = await this.server.request("GET");
    assert.equal(url.searchParams.get("handshake?"), "1");
    answer([["chsk/handshake", [this.clientId, null, null]], null]);
    await this.client.ready;
  }

  async #say([event, cb = null]: [any[], (string | null)?]): Promise<void> {
    const [id, data = null] = event;
    if (!id.startsWith("chsk/")) this.#talk(id, data, cb);
    else if (id === "chsk/ws-ping" && cb === null) return; // which nobody answers
    const socket = this.#socket as Socket;
    const [said, ref] = JSON.parse((await next(socket.sent)) as string);
    assert.deepEqual([said, ref === null], [[id, data].slice(0, said.length), cb === null]);
    if (cb !== null) this.#names.set(cb, ref);
  }

  #talk(id: string, data: unknown, cb: unknown): void {
    if (cb === null) return void assert.ok(this.client.send(id, data));
    const name = typeof cb === "string" && cb !== "ajax" ? cb : `ajax ${this.#asked.length}`;
    this.#asked.push(name);
    this.client.request(id, data).then(
      (reply) => this.outcomes.set(name, reply),
      (error) => this.outcomes.set(name, error.name),
    );
  }

  async #get({ line, query }: Plain): Promise<void> {
    const request = await this.server.request("GET");
    this.#sameQuery(request.url, query);
    this.#requests.set(line, request);
  }

  async #post({ line, query, headers, body }: Plain): Promise<void> {
    const form = new URLSearchParams(body);
    const binary = query.includes("binary");
    const [[id, data = null], cb] = JSON.parse(binary ? body : form.get("ppstr"));
    this.#talk(id, data, cb);
    const request = await this.server.request("POST");
    const sent = binary ? null : new URLSearchParams(request.init.body as string);
    assert.equal(request.url.searchParams.get("binary?"), binary ? "true" : null);
    const said = sent?.get("ppstr") ?? new TextDecoder().decode(request.init.body as Uint8Array<ArrayBuffer>);
    assert.deepEqual(JSON.parse(said), [[id, data], cb]);
    if (sent) assert.equal(sent.get("client-id"), this.client.state.clientId);
    const { "X-CSRF-Token": token, "Content-Type": type } = request.init.headers as Record<string, string>;
    assert.deepEqual([token, type], [headers["x-csrf-token"], headers["content-type"]]);
    this.#requests.set(line, request);
  }

  #sameQuery(url: URL, recorded: string): void {
    const plain = (query: URLSearchParams) => Object.fromEntries([...query].filter(([name]) => name !== "udt"));
    const theirs = plain(new URLSearchParams(recorded));
    assert.deepEqual(plain(url.searchParams), { ...theirs, "client-id": this.client.state.clientId });
  }

  #theirs([message, cb]: [unknown, string]): unknown {
    return [message, this.#names.get(cb) ?? cb];
  }

  #effects(value: any): void {
    if (!Array.isArray(value)) return;
    const [message, cb] = value;
    if (message?.[0] === "chsk/handshake") {
      const [uid, , data] = message[1];
      assert.deepEqual(
        [this.client.state.open, this.client.state.uid, this.client.state.handshakeData],
        this.transport === "ws" ? [true, uid, data] : [false, null, null], // over HTTP it is a moment until it is heard
      );
    } else if (Array.isArray(message?.[0])) {
      this.expected.push(...message);
    } else if (typeof cb === "string") {
      if (message !== "pong") this.expected.push([cb, message]);
    } else if (this.#asked.length > 0 && message !== "chsk/dummy-cb-200" && message !== "chsk/ws-ping") {
      this.expected.push([`ajax ${this.#asked.length - 1}`, message === "chsk/timeout" ? "RequestTimeout" : message]);
    }
  }

  async end(): Promise<void> {
    for (let turns = 0; turns < 5; turns++) await later();
    const replies = [...this.outcomes];
    const isReply = (item: any) => /^(cb|ajax )\d/.test(item[0]);
    assert.deepEqual(this.got, this.expected.filter((item) => !isReply(item)));
    assert.deepEqual(replies, this.expected.filter(isReply));
  }
}

/** Ours pings of itself, and answers where the bare client did not. */
const isPing = (frame: unknown): boolean => /^\[\["chsk\/ws-p[io]ng"\]/.test(String(frame));

const clientIdOf = (step: Plain): string | null =>
  new URLSearchParams(step.query).get("client-id") ?? new URLSearchParams(step.body).get("client-id");

for (const { id, title, steps } of EXCHANGES.filter((exchange) => !NOT_OURS.has(exchange.id))) {
  test(`${id}: ${title}`, async (t) => {
    const players = new Map<string, Player>(); // by client-id
    const lines = new Map<string, Player>();
    for (const step of steps) {
      if (step.do === "push" || step.do === "cut" || step.do === "opened") continue; // the server's own affairs
      const clientId = clientIdOf(step);
      if (clientId !== null) {
        const known = players.get(clientId);
        const transport = step.do === "open" ? "ws" : "poll";
        const player = known ?? new Player(transport, clientId, id, new URLSearchParams(step.query));
        if (!known) t.after(() => player.client.disconnect());
        if (!known && step.method === "POST") await player.greeted();
        players.set(clientId, player);
        lines.set(step.line, player);
      }
      await lines.get(step.line)?.step(step);
    }
    assert.ok(players.size > 0);
    for (const player of players.values()) await player.end();
  });
}

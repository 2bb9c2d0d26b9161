import type { ClientAction, Link } from "./actions.js";
import type { Dialogue } from "./client-dialogue.js";
import type { Conversation } from "./conversation.js";
import type { Info } from "./greeting.js";
import { BYE, type Packet } from "./messages.js";
import type { ClientSettings } from "./settings.js";

export const NEVER = Infinity;

/** `probe`: a WebSocket that is tried beside the polls. `climb`: the same, once it has taken their place. */
export type Use = "ws" | "welcome" | "hello" | "poll" | "post" | "probe" | "climb";

/** A link in use, and until when the server may take to answer on it. */
export interface Way {
  use: Use;
  until: number;
}

/** The links in use, what is said and heard on them once the client is greeted, and how long each may stay silent. */
export class Lines {
  readonly #settings: ClientSettings;
  readonly #dialogue: Dialogue;
  readonly #actions: ClientAction[];
  readonly #ways = new Map<Link, Way>();
  #lastLink = 0;
  #info: Info | null = null; // of the session that is open
  #pinged = false;
  #silentUntil = 0; // when a WebSocket is pinged, or given up if it was
  #flush = false;
  #paused = false; // open, but on its way from one line to another
  #n = 0; // hellos, polls and POSTs so far

  constructor(settings: ClientSettings, dialogue: Dialogue, actions: ClientAction[]) {
    this.#settings = settings;
    this.#dialogue = dialogue;
    this.#actions = actions;
  }

  // -- links

  add(use: Use, until: number): Link {
    this.#ways.set(++this.#lastLink, { use, until });
    return this.#lastLink;
  }

  /** The link, if it is still in use. */
  get(link: Link): Way | undefined {
    return this.#ways.get(link);
  }

  /** The link, if it is still in use, which it is no more. */
  pop(link: Link): Way | undefined {
    const way = this.#ways.get(link);
    this.#ways.delete(link);
    return way;
  }

  /** Give the server so long to answer on this link. */
  waitUntil(link: Link, until: number): void {
    const way = this.#ways.get(link);
    if (way) way.until = until;
  }

  /** The number of the next hello, poll or POST. */
  count(): number {
    return ++this.#n;
  }

  /** The handshake came: talk as it says. */
  opened(info: Info, now: number): void {
    this.#info = info;
    this.#talk.peer = info.limits;
    this.#talk.acks = info.acks;
    this.#paused = false;
    this.alive(now);
    for (const way of this.#ways.values()) {
      way.until = NEVER;
      if (way.use === "climb") way.use = "ws";
    }
  }

  /** Something came on the WebSocket. */
  alive(now: number): void {
    this.#silentUntil = now + this.#settings.ping;
    this.#pinged = false;
  }

  /**
   * Time has passed unnoticed, or the network is another one. Answers that have come may still wait to be read: each link
   * gets a moment more. A WebSocket is pinged, unless that moment runs already; a poll is replaced by a new one.
   */
  wake(now: number): void {
    const until = now + this.#settings.wakeTimeout;
    for (const way of this.#ways.values()) way.until = Math.max(way.until, until);
    if (!this.#info || this.#paused) return;
    const link = this.#websocket;
    if (link !== undefined) {
      const asked = this.#pinged && now < this.#silentUntil && this.#silentUntil <= until;
      if (!asked) this.#ping(link, until);
      return;
    }
    for (const [link, way] of this.#ways) if (way.use === "poll") this.#giveUp(link, "woken up");
  }

  /** Give every link up, in a way that the session survives. */
  close(reason: string): void {
    this.pause(reason);
    this.#info = null;
    this.#flush = false;
  }

  /** Give every link up but this one, and say nothing until the next handshake; a goodbye can still be said. */
  pause(reason: string, kept?: Link): void {
    for (const link of this.#ways.keys()) if (link !== kept) this.#giveUp(link, reason);
    this.#ways.clear();
    if (kept !== undefined) this.#ways.set(kept, { use: "climb", until: NEVER });
    this.#paused = true;
    this.#talk.passOn(); // to nobody
  }

  /** Say what waits, and goodbye. Nobody waits for its answer. */
  takeLeave(now: number): void {
    const link = this.#websocket;
    const bye: Packet = { type: "control", event: { id: BYE, data: null, size: 0 } };
    if (link !== undefined) {
      this.say(now);
      this.#actions.push({ type: "transmit", link, packets: [bye] }); // in words too: not every server tells the code
      this.#actions.push({ type: "close", link, code: 1000, reason: "goodbye" });
      this.#ways.delete(link);
    } else if (this.#info) {
      const { outbox } = this.#talk;
      outbox.rewind(outbox.acked); // POSTs under way are given up: what they carry goes along
      const { cursor } = outbox;
      this.pop(this.#exchange(this.#info, "post", NEVER, cursor, [...this.#talk.say(), bye]));
    }
  }

  // -- talking

  /** Something was put into the outbox: it leaves with the next `advance`. */
  flushSoon(): void {
    this.#flush = true;
  }

  /** Answer a ping. */
  pong(link: Link): void {
    this.#actions.push({ type: "transmit", link, packets: [{ type: "pong", ack: this.#talk.news() }] });
  }

  /** See whether frames come through, before anything depends on it. */
  probe(link: Link, until: number): void {
    this.waitUntil(link, until);
    this.#actions.push({ type: "transmit", link, packets: [{ type: "ping", ack: null }] });
  }

  /** Say what waits, acknowledge what is due, and keep a poll under way. */
  advance(now: number): void {
    const info = this.#info;
    if (!info) return;
    this.say(now);
    const due = this.#talk.ackDue();
    const owes = due !== null && now >= due;
    const link = this.#websocket;
    if (link !== undefined) {
      if (owes) {
        this.#actions.push({ type: "transmit", link, packets: [{ type: "ack", ack: this.#talk.ack(), please: false }] });
      }
    } else if (!this.#busy("poll")) {
      const wait = Math.round(info.poll * 1000);
      this.#exchange(info, "poll", now + this.#patience(info), this.#talk.outbox.cursor, [], wait);
    } else if (owes && this.#mayPost) {
      this.#exchange(info, "post", now + this.#patience(info), this.#talk.outbox.cursor);
    }
  }

  /** Say what waits, as far as window and free POSTs allow. */
  say(now: number): void {
    this.#flush = false;
    const info = this.#info;
    const { outbox } = this.#talk;
    let passing = this.#talk.passOn(); // or dropped, if the server is behind with the rest
    if (!info || !(outbox.unsent || passing.length)) return;
    const link = this.#websocket;
    if (link !== undefined) {
      const packets = this.#talk.say();
      if (packets.length > 0) this.#actions.push({ type: "transmit", link, packets });
      if (passing.length && !outbox.unsent) {
        this.#actions.push({ type: "transmit", link, packets: passing, volatile: true });
      }
      return;
    }
    while (this.#mayPost) {
      const { cursor } = outbox;
      const packets = this.#talk.say(Math.floor(info.body / 2));
      if (!outbox.unsent) {
        packets.push(...passing);
        passing = [];
      }
      if (packets.length === 0) return;
      this.#exchange(info, "post", now + this.#patience(info), cursor, packets);
    }
  }

  // -- time

  /** When something is due. */
  nextTimer(): number {
    const times = Array.from(this.#ways.values(), (way) => way.until);
    if (this.#info && !this.#paused) {
      if (this.#flush) return 0;
      const due = this.#talk.ackDue();
      const websocket = this.#websocket !== undefined;
      if (due !== null && (websocket || this.#mayPost)) times.push(due);
      if (websocket) times.push(this.#silentUntil);
    }
    return Math.min(...times, NEVER);
  }

  /** A link that does not do what it should, and what that is. A silent WebSocket is pinged first. */
  overdue(now: number): [Link, string] | null {
    for (const [link, way] of this.#ways) {
      if (now >= way.until) return [link, `no answer to ${way.use}`];
    }
    const link = this.#websocket;
    if (!this.#info || link === undefined || now < this.#silentUntil) return null;
    if (this.#pinged) return [link, "no sign of life"];
    this.#ping(link, now + this.#settings.pingTimeout);
    return null;
  }

  // -- inside

  get #talk(): Conversation {
    return this.#dialogue.talk;
  }

  get #websocket(): Link | undefined {
    for (const [link, way] of this.#ways) if (way.use === "ws") return link;
    return undefined;
  }

  #ping(link: Link, until: number): void {
    this.#pinged = true;
    this.#silentUntil = until;
    this.#actions.push({ type: "transmit", link, packets: [{ type: "ping", ack: this.#talk.news() }] });
  }

  // In a way that the session survives.
  #giveUp(link: Link, reason: string): void {
    this.#ways.delete(link);
    this.#actions.push({ type: "close", link, code: 4000, reason });
  }

  get #mayPost(): boolean {
    return this.#busy("post") < this.#settings.posts;
  }

  // How long an exchange may take: a POST that asks is held as long as a poll.
  #patience(info: Info): number {
    return info.poll + this.#settings.pollMargin;
  }

  #busy(use: Use): number {
    let busy = 0;
    for (const way of this.#ways.values()) if (way.use === use) busy += 1;
    return busy;
  }

  #exchange(info: Info, use: Use, until: number, seq: number, packets: Packet[] = [], wait = 0): Link {
    const ack = this.#talk.ack();
    const got = this.#talk.inbox.top;
    const head = { session: info.session, n: this.count(), ack, seq, wait, ...(wait && got > ack ? { got } : {}) };
    const link = this.add(use, until);
    this.#actions.push({ type: "exchange", link, head, packets });
    return link;
  }
}

import { Disconnected, OutboxFull, PackError } from "../errors.js";
import type { Link, Outcome } from "./actions.js";
import { AJAX, PING, PONG, readHandshake } from "./classic.js";
import { NEVER } from "./client-lines.js";
import { ClientSession } from "./client-session.js";
import type { ClientState, Closed } from "./client-state.js";
import { ENVELOPE } from "./conversation.js";
import { readEvent, type ChannelEvent, type Classic, type Packet } from "./messages.js";

/** Seconds that a poll or POST may take: Sente's own clients wait as long, its servers answer after 20 s. */
export const HOLD = 60;

/** What Sente says in the place of a reply. */
const OUTCOMES = new Map<unknown, Outcome>([
  ["chsk/timeout", "timeout"],
  ["chsk/closed", "disconnected"],
  ["chsk/error", "error"],
]);

/** What is to be said; `ref` is its request's. */
interface Said {
  event: ChannelEvent;
  ref: number | null;
}

/** A request without outcome, and the POST that waits for it. */
interface Asked {
  readonly deadline: number;
  link: Link | null;
}

/**
 * A client of a Sente server, as one of Sente's own: no numbers, no acknowledgements, nothing is resumed; the same
 * machine as Python's `ClassicClientSession`. Driven like `ClientSession`, of which it is one: connecting, coming back
 * and the state are the same, what is said is Sente's. An `exchange` without packets is a poll, one with a packet a
 * POST.
 */
export class ClassicSession extends ClientSession {
  readonly #asked = new Map<number, Asked>();
  #lastRef = 0;
  #waiting: Said[] = [];
  #underWay: number[] = []; // sizes of what has left, and nobody knows whether it was read
  #keptBytes = 0;
  #websocket: Link | null = null;
  #polling: Link | null = null;
  #posting: Link | null = null; // the one POST whose event must arrive before the next
  #pinged: number | null = null; // how much was under way before the ping that waits for its answer
  #silentSince = 0;
  #unhandled = 0;

  // -- the application's side

  /** Say what waits, and leave; Sente knows no goodbye but the close of a WebSocket. */
  override disconnect(now: number): void {
    if (this.phase === "open") this.#leave();
    super.disconnect(now);
  }

  /**
   * Say an event, if it may `wait` with the next line; false: there is none, and nothing is kept. One that has left when
   * the line breaks may be lost.
   */
  override send(event: ChannelEvent, wait = false): boolean {
    if (!this.takes(wait)) return false;
    this.#put(event, null);
    return true;
  }

  /** Ask for a reply within `timeout` seconds; a `settle` with the returned ref says what came of it. */
  override request(event: ChannelEvent, timeout: number, now: number): number {
    if (this.phase !== "open") throw new Disconnected("the client is not connected");
    if (this.#asked.size >= this.settings.limits.requests) {
      throw new OutboxFull(`${this.#asked.size} requests wait for their reply: wait for some of them`);
    }
    this.#put(event, this.#lastRef + 1);
    this.#asked.set(++this.#lastRef, { deadline: now + timeout, link: null });
    return this.#lastRef;
  }

  /** The asker no longer waits for `ref`: its POST is given up. */
  override cancel(ref: number): void {
    const link = this.#asked.get(ref)?.link ?? null;
    this.#asked.delete(ref);
    if (link === null || !this.lines.pop(link)) return;
    this.actions.push({ type: "close", link, code: 4000, reason: "nobody waits" });
    this.#read(1);
  }

  /** Something slept, or the network changed: ping at once. A poll goes on: what it has missed is gone. */
  override wake(now: number): void {
    this.#silentSince = now - this.settings.ping;
    super.wake(now);
  }

  /** The application is done with one delivery. */
  override delivered(now: number): void {
    const wasFull = this.full;
    this.#unhandled = Math.max(0, this.#unhandled - 1);
    if (wasFull && !this.full) this.#silentSince = now;
    this.advance(now);
  }

  /** Whether so much is unhandled that nothing more should be read: the server knows no window. */
  get full(): boolean {
    return this.#unhandled >= this.settings.limits.backlog;
  }

  // -- the driver's side

  /** The first frame of a new WebSocket, or the answer to the first poll: the handshake. */
  override firstFrame(link: Link, plain: unknown, now: number): void {
    const way = this.lines.get(link);
    if (!way || this.phase !== "opening") return;
    const greeted = readHandshake(plain);
    if (!greeted) {
      return this.broken(link, "the server's first words are no handshake of Sente's: is this its endpoint?", now);
    }
    if (way.use === "welcome") {
      this.lines.pop(link);
      if (this.route.serverIsThere()) return this.open(now);
    } else {
      this.#websocket = link;
      this.lines.waitUntil(link, NEVER);
    }
    this.route.opened();
    this.phase = "open";
    this.openedAt = this.#silentSince = now;
    this.#greeted(greeted);
    this.advance(now);
  }

  /** A message of `size` bytes came on a WebSocket. */
  override receive(link: Link, packet: Packet, size: number, now: number): void {
    if (!this.lines.get(link) || packet.type !== "classic") return;
    this.#silentSince = now;
    const { message, ref } = packet;
    if (message === PING && ref === null) {
      this.#transmit(link, { type: "classic", message: [PONG], ref: null });
    } else if (ref === null) {
      this.#hearPushes(message, size);
    } else if (ref === PING) {
      this.#read(this.#pinged ?? 0);
      this.#pinged = null;
    } else if (typeof ref === "string") {
      this.#settle(Number(ref), message);
    }
    this.advance(now);
  }

  /** A poll or POST was answered with status 200, and with one message. `head` means nothing here. */
  override exchanged(link: Link, _head: unknown, packets: readonly (readonly [Packet, number])[], now: number): void {
    const way = this.lines.pop(link);
    if (!way) return;
    const [{ message, ref }, size] = packets[0] as readonly [Classic, number]; // the driver reads nothing else
    if (way.use === "post") {
      this.#read(1);
      if (this.#posting === link) this.#posting = null;
      for (const [asked, { link: post }] of this.#asked) if (post === link) this.#settle(asked, message);
    } else {
      this.#polling = null;
      const greeted = readHandshake([message, ref]);
      if (greeted) this.#greeted(greeted); // the server has forgotten this client, or is another one
      else this.#hearPushes(message, size);
    }
    this.advance(now);
  }

  /** When `handleTimer` is to be called; null: not before the next input. */
  override nextTimer(): number | null {
    if (this.phase === "open" && this.#maySay) return 0;
    const deadlines = Array.from(this.#asked.values(), ({ deadline }) => deadline);
    const earliest = Math.min(super.nextTimer() ?? NEVER, this.#silentUntil, ...deadlines);
    return earliest === NEVER ? null : earliest;
  }

  // -- inside

  /** Settle what is overdue, say what waits, keep a poll under way, see whether the server is there. */
  protected override advance(now: number): void {
    if (this.phase !== "open") return;
    for (const [ref, { deadline }] of [...this.#asked]) {
      if (now < deadline) continue;
      this.cancel(ref);
      this.actions.push({ type: "settle", ref, outcome: "timeout", value: null });
    }
    while (this.#maySay) this.#say(now + HOLD);
    const link = this.#websocket;
    if (link === null) {
      if (this.#polling === null && !this.full) {
        this.#polling = this.lines.add("poll", now + HOLD);
        this.actions.push({ type: "exchange", link: this.#polling, head: null, packets: [] });
      }
    } else if (now >= this.#silentUntil) {
      if (this.#pinged !== null) return this.broken(link, "no sign of life", now);
      this.#ping(link);
    } else if (this.#pinged === null && this.#underWay.length > this.settings.limits.outbox / 2) {
      this.#ping(link);
    }
  }

  protected override close(closed: Closed, more: Partial<ClientState> = {}): void {
    super.close(closed, more);
    for (const ref of this.#asked.keys()) {
      this.actions.push({ type: "settle", ref, outcome: "disconnected", value: null });
    }
    this.#asked.clear();
    this.#waiting = this.#waiting.filter(({ ref }) => ref === null); // these never left
    this.#underWay = [];
    this.#keptBytes = this.#waiting.reduce((size, { event }) => size + event.size, 0);
    this.#websocket = this.#polling = this.#posting = this.#pinged = null;
  }

  get #silentUntil(): number {
    if (this.#websocket === null || this.full) return NEVER; // a server that is not read is not silent
    const { ping, pingTimeout } = this.settings;
    return this.#silentSince + ping + (this.#pinged === null ? 0 : pingTimeout);
  }

  get #maySay(): boolean {
    return this.#waiting.length > 0 && (this.#websocket !== null || this.#posting === null);
  }

  #greeted(greeted: { uid: unknown; handshakeData: unknown }): void {
    const { everOpened } = this.state;
    const lost = everOpened ? null : 0;
    this.set({ open: true, everOpened: true, firstOpen: !everOpened, ...greeted, resumed: false, lost });
  }

  #put(event: ChannelEvent, ref: number | null): void {
    const { limits } = this.settings;
    if (event.size > limits.packet - ENVELOPE) {
      throw new PackError(`${event.size} bytes packed; limits.packet allows ${limits.packet}`);
    }
    const kept = this.#waiting.length + this.#underWay.length;
    if (kept >= limits.outbox || this.#keptBytes + event.size > limits.outboxBytes) {
      throw new OutboxFull("too much waits for the server: slow down, or wait for a request's reply now and then");
    }
    this.#waiting.push({ event, ref });
    this.#keptBytes += event.size;
  }

  #say(until: number): void {
    for (const { event, ref } of this.#waiting.splice(0, 1)) {
      this.#underWay.push(event.size);
      const message = [event.id, event.data];
      if (this.#websocket !== null) {
        return this.#transmit(this.#websocket, { type: "classic", message, ref: ref === null ? null : String(ref) });
      }
      const link = this.lines.add("post", until);
      const packets: Classic[] = [{ type: "classic", message, ref: ref === null ? null : AJAX }];
      this.actions.push({ type: "exchange", link, head: null, packets });
      const asked = ref === null ? undefined : this.#asked.get(ref);
      if (asked) asked.link = link;
      else this.#posting = link;
    }
  }

  #transmit(link: Link, packet: Classic): void {
    this.actions.push({ type: "transmit", link, packets: [packet] });
  }

  // Ask for a sign of life, which also says that everything before it was read.
  #ping(link: Link): void {
    this.#pinged = this.#underWay.length;
    this.#transmit(link, { type: "classic", message: [PING], ref: PING });
  }

  // The server has read so much of what was under way.
  #read(count: number): void {
    for (const size of this.#underWay.splice(0, count)) this.#keptBytes -= size;
  }

  // Hand a batch over. Other words, `chsk/timeout` after a poll without news say, mean nothing.
  #hearPushes(message: unknown, size: number): void {
    if (!Array.isArray(message)) return;
    for (const plain of message) {
      const event = readEvent(plain, Math.floor(size / message.length));
      if (event.id.startsWith("chsk/")) continue;
      this.#unhandled += 1;
      this.actions.push({ type: "deliver", event, ref: null });
    }
  }

  #settle(ref: number, value: unknown): void {
    if (!this.#asked.delete(ref)) return; // it is late: the asker has had its outcome
    const outcome = OUTCOMES.get(value) ?? "reply";
    const error = { code: "error", message: "the server says no more than that" };
    this.actions.push({ type: "settle", ref, outcome, value: outcome === "error" ? error : value });
  }

  #leave(): void {
    this.#letGo();
    while (this.#waiting.length > 0) {
      this.#say(NEVER); // there is no time left for one after the other
      this.#letGo();
    }
    if (this.#websocket === null) return;
    this.lines.pop(this.#websocket);
    this.actions.push({ type: "close", link: this.#websocket, code: 1000, reason: "goodbye" });
  }

  // The event that is being POSTed has to get there, but nobody waits for the answer.
  #letGo(): void {
    if (this.#posting !== null) this.lines.pop(this.#posting);
    this.#posting = null;
  }
}

import { Disconnected, ProtocolError, protocolReason } from "../errors.js";
import type { ClientAction, Link } from "./actions.js";
import { Dialogue } from "./client-dialogue.js";
import { Climb } from "./climb.js";
import { Lines, NEVER, type Way } from "./client-lines.js";
import { changed, initialState, type ClientState, type Closed, type CloseReason, type Wanted } from "./client-state.js";
import { difference } from "./contract.js";
import { missed, number, readInfo, readWelcome, writeHello } from "./greeting.js";
import { BYE, isObject, type ChannelEvent, type Handshake, type Packet, type PlainObject } from "./messages.js";
import { isTerminal, retryAfter, Route } from "./route.js";
import type { ClientSettings, SessionOptions } from "./settings.js";

// idle: nothing wanted, or refused; opening: the server speaks first; greeting: hello said
type Phase = "idle" | "waiting" | "opening" | "greeting" | "open";

/**
 * The session as a client sees it, without I/O or clock; the same machine as Python's `ClientSession`. The driver calls
 * `connect`, carries out `takeActions()` after every call, reports what comes of them (`firstFrame`, `receive`,
 * `exchanged`, `linkLost`), and calls `handleTimer` at `nextTimer()`. Times are seconds of the driver's clock.
 */
export class ClientSession {
  state: ClientState;
  readonly settings: ClientSettings;
  readonly #options: SessionOptions;
  readonly #epoch: number;
  protected readonly route: Route;
  protected readonly actions: ClientAction[] = [];
  readonly #dialogue: Dialogue;
  protected readonly lines: Lines;
  /** When a WebSocket is tried beside the polls. */
  readonly climb = new Climb();
  protected phase: Phase = "idle";
  #token: string | null = null;
  protected openedAt = 0;
  #serverLeft = -NEVER; // when the server took leave
  #attemptAt = NEVER;
  #notBefore = 0; // the server asked for so much patience

  constructor(settings: ClientSettings, options: SessionOptions) {
    this.settings = settings;
    this.#options = options;
    this.#epoch = options.epoch ?? 0;
    this.route = new Route(settings, options.transport ?? "auto", options.renewable ?? false);
    this.#dialogue = new Dialogue(settings.limits, this.actions);
    this.lines = new Lines(settings, this.#dialogue, this.actions);
    this.state = initialState(options.newClientId());
  }

  // -- the application's side

  /** Connect, unless that is under way. */
  connect(now: number): void {
    if (this.phase !== "idle") return;
    this.set({ refused: null });
    this.route.reset();
    this.#attempt(now);
  }

  /** Say goodbye: the session ends, and with it every open request. */
  disconnect(now: number): void {
    if (this.state.open) this.lines.takeLeave(now);
    this.close(this.#closed(now, "requested-disconnect"));
    this.phase = "idle";
    this.#attemptAt = NEVER;
    this.climb.cancel();
    this.#token = null;
    this.#dialogue.end();
    this.set({ nextReconnect: null });
  }

  /** Open a new line at once and resume on it: after a login, so that the server sees the new cookie. */
  reconnect(now: number): void {
    this.close(this.#closed(now, "requested-reconnect"));
    this.set({ refused: null });
    this.route.reset();
    this.#attempt(now);
  }

  /** The page is put away, perhaps to come back: the session stays, and goes on with `wake`. */
  leave(now: number): void {
    if (this.phase === "idle") return;
    this.close(this.#closed(now, "page-hidden"));
    this.#wait(NEVER);
  }

  /** Something slept, or the network changed: make sure of the line, or of having one, at once. */
  wake(now: number): void {
    this.lines.wake(now);
    if (this.phase === "waiting") this.#wait(Math.max(now, Math.min(this.#attemptAt, this.#notBefore)));
    this.advance(now);
  }

  /** Use another transport from now on. */
  prefer(transport: Wanted, now: number): void {
    this.route.prefer(transport);
    this.climb.cancel();
    if (this.phase !== "idle") this.reconnect(now);
  }

  /**
   * Say an event; it leaves with the next `handleTimer`, or with the next line if it may `wait` for that. False: there is
   * no line, and nothing is kept.
   */
  send(event: ChannelEvent, wait = false): boolean {
    if (!this.takes(wait)) return false;
    this.#dialogue.talk.put(event);
    this.lines.flushSoon();
    return true;
  }

  /** Ask for a reply within `timeout` seconds; a `settle` with the returned ref says what came of it. */
  request(event: ChannelEvent, timeout: number, now: number, wait = false): number {
    if (!this.takes(wait)) throw new Disconnected("the client is not connected");
    const ref = this.#dialogue.ask(event, now + timeout);
    this.lines.flushSoon();
    return ref;
  }

  /** The asker no longer waits for `ref`. */
  cancel(ref: number): void {
    this.#dialogue.cancel(ref);
    this.lines.flushSoon();
  }

  /** The server has taken new credentials. */
  renewed(): void {
    this.set({ authExpires: null });
  }

  /** Answer the server's request `ref`. A second answer is dropped; there must be none after `cancelled`. */
  reply(ref: number, value: unknown, failed: boolean, size: number): void {
    this.#dialogue.talk.reply(ref, value, failed, size);
    this.lines.flushSoon();
  }

  /** The application is done with one delivery. */
  delivered(now: number): void {
    const { talk } = this.#dialogue;
    talk.backlog = Math.max(0, talk.backlog - 1);
    this.advance(now);
  }

  // -- the driver's side

  /** The first frame of a new WebSocket, or the body of the GET: the server's welcome. */
  firstFrame(link: Link, plain: unknown, now: number): void {
    const way = this.lines.get(link);
    if (!way || (way.use !== "probe" && this.phase !== "opening")) return;
    let packer: string;
    try {
      packer = readWelcome(plain);
    } catch (error) {
      return this.broken(link, protocolReason(error), now);
    }
    if (way.use === "probe") {
      if (packer === this.state.packer) return this.lines.probe(link, now + this.settings.handshakeTimeout);
      return this.broken(link, "the WebSocket would be spoken to with another packer", now);
    }
    if (way.use === "welcome") {
      this.lines.pop(link);
      if (this.route.serverIsThere()) return this.open(now);
      link = this.lines.add("hello", NEVER);
    }
    this.set({ packer });
    this.#greet(link, now);
  }

  /** A packet of `size` bytes came on a WebSocket. */
  receive(link: Link, packet: Packet, size: number, now: number): void {
    const way = this.lines.get(link);
    if (!way) return;
    if (way.use === "probe") return packet.type === "pong" ? this.#climb(link, now) : undefined;
    this.lines.alive(now);
    try {
      if (packet.type === "handshake") this.#handshake(packet, now);
      else if (this.phase === "open") {
        this.#hear(packet, size, now);
        if (packet.type === "ping") this.lines.pong(link);
      }
    } catch (error) {
      return this.broken(link, protocolReason(error), now);
    }
    this.advance(now);
  }

  /** An HTTP exchange was answered with status 200. */
  exchanged(link: Link, head: unknown, packets: readonly (readonly [Packet, number])[], now: number): void {
    const way = this.lines.pop(link);
    if (!way) return;
    try {
      if (!isObject(head)) throw new ProtocolError("a body begins with its head");
      if (way.use === "hello") {
        const handshake = packets[0]?.[0];
        if (handshake?.type !== "handshake") throw new ProtocolError("a hello is answered with a handshake");
        this.#handshake(handshake, now);
        packets = packets.slice(1);
      }
      this.#dialogue.talk.body(number(head, "seq", 1), number(head, "ack", 0));
      for (const [packet, size] of packets) this.#hear(packet, size, now);
    } catch (error) {
      return this.#fall(way, now, null, protocolReason(error));
    }
    this.advance(now);
  }

  /** A link ended: with a close code or an HTTP status, or just so. */
  linkLost(link: Link, now: number, code: number | null = null, message = ""): void {
    const way = this.lines.pop(link);
    if (way?.use === "probe" || way?.use === "climb") this.#climbFailed(way, now, code, message);
    else if (way) this.#fall(way, now, code, message);
  }

  /** Give a link up that does not do what it should: what came on it cannot be read, say. */
  broken(link: Link, reason: string, now: number): void {
    this.actions.push({ type: "close", link, code: 4400, reason });
    this.linkLost(link, now, null, reason);
  }

  /** The work that came up since the last call, to be done in order. */
  takeActions(): ClientAction[] {
    return this.actions.splice(0);
  }

  /** When `handleTimer` is to be called; null: not before the next input. */
  nextTimer(): number | null {
    const climbAt = this.phase === "open" ? this.climb.due : NEVER;
    const earliest = Math.min(this.#attemptAt, climbAt, this.lines.nextTimer(), this.#dialogue.requests.nextTimer());
    return earliest === NEVER ? null : earliest;
  }

  /** Do what is due. */
  handleTimer(now: number): void {
    this.#dialogue.handleTimer(now);
    if (now >= this.#attemptAt) this.#attempt(now);
    if (this.phase === "open" && now >= this.climb.due) {
      this.climb.cancel();
      const link = this.lines.add("probe", now + this.settings.handshakeTimeout);
      this.actions.push({ type: "openLink", link, transport: "ws" });
    }
    const overdue = this.lines.overdue(now);
    if (overdue) this.broken(...overdue, now);
    this.advance(now);
  }

  // -- connecting

  #attempt(now: number): void {
    this.#attemptAt = NEVER;
    this.set({ nextReconnect: null });
    this.open(now);
  }

  protected open(now: number): void {
    const polled = this.state.transport === "poll" && this.#token !== null && this.state.packer !== null;
    const transport = this.route.next;
    this.set({ transport });
    if (transport === "poll" && polled) {
      return this.#greet(this.lines.add("hello", NEVER), now); // the server and its packer are known
    }
    this.phase = "opening";
    const until = now + this.settings.handshakeTimeout;
    const link = this.lines.add(transport === "ws" ? "ws" : "welcome", until);
    this.actions.push({ type: "openLink", link, transport });
  }

  #greet(link: Link, now: number): void {
    this.phase = "greeting";
    this.lines.waitUntil(link, now + this.settings.handshakeTimeout);
    const n = this.lines.count();
    const ack = this.#dialogue.talk.greet();
    const { limits } = this.settings;
    const hello = writeHello(this.#token, n, ack, this.#dialogue.talk.inbox.top, limits, this.#options.contract);
    this.actions.push({ type: "sayHello", link, transport: this.route.next, hello });
  }

  #handshake(handshake: Handshake, now: number): void {
    if (this.phase !== "greeting") throw new ProtocolError("a handshake nobody asked for");
    const info = readInfo(handshake.info);
    const contract = difference(this.#options.contract, handshake.info);
    let lost: number | null = 0;
    if (info.resumed) {
      this.#dialogue.talk.outbox.rewind(info.ack);
    } else {
      if (this.state.everOpened) lost = this.#token ? missed(info, now - this.#serverLeft, this.settings.restart) : null;
      const sameUser = !this.state.everOpened || handshake.uid === this.state.uid;
      this.#dialogue.startAnew(info.prev, sameUser, info.limits.packet);
    }
    this.#token = info.session;
    this.#serverLeft = -NEVER;
    this.phase = "open";
    this.lines.opened(info, now);
    this.route.opened();
    this.openedAt = now;
    this.#planClimb(now);
    const { uid, data: handshakeData } = handshake;
    const firstOpen = !this.state.everOpened;
    const transport = this.route.next;
    const { resumed } = info;
    const open = { transport, open: true, everOpened: true, firstOpen, authExpires: null };
    this.set({ ...open, uid, handshakeData, contract, resumed, lost });
  }

  // -- up again from polling

  #planClimb(now: number): void {
    if (this.route.next === "ws") this.climb.cancel();
    this.climb.plan(now + this.route.climbDelay(this.#options.jitter()));
  }

  // The probe was answered: say hello on it, and from here on take nothing from the polls.
  #climb(link: Link, now: number): void {
    this.lines.pause("climbing", link);
    this.route.climb();
    this.#greet(link, now);
  }

  // The polls go on, or take over again.
  #climbFailed(way: Way, now: number, code: number | null, message: string): void {
    this.route.fell();
    this.set({ lastWsError: this.#closed(now, "downgrading-ws-to-poll", code, message) });
    this.climb.cancel();
    this.#planClimb(now);
    if (way.use !== "climb") return;
    this.lines.pause("falling back");
    this.#greet(this.lines.add("hello", NEVER), now);
  }

  // -- losing the line

  #fall(way: Way, now: number, code: number | null, message: string): void {
    // an upgrade refused by status is a proxy's work, not the server's
    const status = code !== null && code >= 4000 ? code - 4000 : way.use === "ws" ? null : code;
    const wasOpen = this.state.open;
    const closed = this.#closed(now, this.route.why(wasOpen, status), code, message);
    const ws = wasOpen ? { lastWsClose: closed } : { lastWsError: closed };
    const hello = { packer: null }; // perhaps this is a server that speaks another: let it say so
    this.close(closed, way.use === "ws" ? ws : way.use === "hello" ? hello : {});
    const wait = retryAfter(message);
    const answered = isTerminal(status) || status === 409 || wait > 0 || (code !== null && code >= 4000);
    if (!this.route.lost(wasOpen ? now - this.openedAt : null, status, answered)) {
      this.phase = "idle";
      return this.set({ refused: closed });
    }
    if (status === 409) {
      // a twin has this client's name and session: leave both to it
      this.set({ clientId: this.#options.newClientId() });
      this.#token = null;
      this.#dialogue.startAnew(null);
    }
    this.#comeBack(now, wait);
  }

  #comeBack(now: number, atLeast: number): void {
    this.#notBefore = now + atLeast;
    this.#wait(now + Math.max(this.route.delay(this.#options.jitter()), atLeast));
  }

  #wait(until: number): void {
    this.phase = "waiting";
    this.#attemptAt = until;
    this.set({ nextReconnect: until === NEVER ? null : this.#epoch + until });
  }

  protected close(closed: Closed, more: Partial<ClientState> = {}): void {
    this.lines.close(closed.reason);
    this.set({ open: false, firstOpen: false, authExpires: null, lastClose: closed, ...more });
  }

  #closed(now: number, reason: CloseReason, code: number | null = null, message = ""): Closed {
    return { at: this.#epoch + now, reason, code, message };
  }

  // -- talking

  protected takes(wait: boolean): boolean {
    return this.state.open || (wait && this.phase !== "idle");
  }

  #hear(packet: Packet, size: number, now: number): void {
    if (this.phase !== "open") return; // not after a goodbye in the same body
    for (const word of this.#dialogue.hear(packet, size, now)) {
      const data = word.data as PlainObject;
      if (word.id === BYE) this.#bye(data, now);
      else this.set({ authExpires: this.#epoch + now + number(data, "in", 0) / 1000 });
    }
  }

  // The server restarts and says how far it had received: nothing is lost, come back later.
  #bye(word: PlainObject, now: number): void {
    const ack = number(word, "ack", 0);
    const retry = number(word, "retry_after", 0, 0) / 1000;
    this.close(this.#closed(now, "bye"));
    this.#dialogue.startAnew(ack);
    this.#serverLeft = now;
    this.route.tookLeave();
    this.#comeBack(now, retry * (0.5 + this.#options.jitter() / 2));
  }

  protected advance(now: number): void {
    if (this.phase === "open") this.lines.advance(now);
  }

  protected set(changes: Partial<ClientState>): void {
    const old = this.state;
    this.state = changed(old, changes);
    const last = this.actions.at(-1);
    if (last?.type === "stateChanged") last.new = this.state; // nobody has seen the state between
    else if (this.state !== old) this.actions.push({ type: "stateChanged", old, new: this.state });
  }
}

import { OutboxFull, PackError, ProtocolError } from "../errors.js";
import type { PeerLimits } from "./greeting.js";
import { Inbox } from "./inbox.js";
import { CANCEL, VOLATILE, type ChannelEvent, type Packet, type Reply, type Request } from "./messages.js";
import { isAnswered, isAsked, isEvent, Outbox, type Item } from "./outbox.js";
import type { AckPolicy, Limits } from "./settings.js";

const REACH_PER_REQUEST = 16; // replies pass the window; so many per request can be under way

// what a batch adds around its events, at most: brackets, null and a number
export const ENVELOPE = 32;

/** One thing that is in order now; null is a dropped event. */
export type Heard = ChannelEvent | Request | Reply | null;

/**
 * Says each thing until it is acknowledged, hears each thing once. On a new link `greet` and rewind the outbox; then
 * `hear` and `say` what is due.
 */
export class Conversation {
  readonly outbox = new Outbox();
  readonly inbox: Inbox<Heard>;
  /** Events handed to the application and not yet handled. */
  backlog = 0;
  /** Requests of the server without reply. */
  readonly asked = new Set<number>();
  #told = 0; // the last acknowledgement given
  #owedSince: number | null = null;
  #owedBytes = 0;
  #askedForAck = false;
  #passing: ChannelEvent[] = []; // volatile, until the line is spoken to next
  #expected = 1; // what an unnumbered batch on the current link begins with

  constructor(
    readonly limits: Limits,
    public acks: AckPolicy = limits.ack,
    public peer: PeerLimits = limits,
  ) {
    this.inbox = new Inbox(limits.window + REACH_PER_REQUEST * limits.requests);
  }

  // -- hearing

  /** A new link is being greeted: the `ack` to state, after which the server's numbers go on. */
  greet(): number {
    this.#tell();
    this.#expected = this.#told + 1;
    return this.#told;
  }

  /** An HTTP body begins: each is a small link of its own. */
  body(seq: number, ack: number): void {
    this.outbox.acknowledge(ack);
    this.#expected = seq;
  }

  /** What the packet put in order. Acknowledgements in it are taken, one is owed for what it brought. */
  hear(packet: Packet, size: number, now: number): Heard[] {
    let heard: Heard[] = [];
    switch (packet.type) {
      case "events": {
        const { events, seq } = packet;
        if (seq === 0) return this.backlog < this.limits.backlog ? events.filter((event) => event !== null) : [];
        let number = seq ?? this.#expected;
        for (const event of events) heard.push(...this.#number(number++, event, now));
        break;
      }
      case "request":
      case "reply":
        this.#acknowledged(packet.ack);
        heard = this.#number(packet.seq, packet, now);
        break;
      case "ack":
        this.#askedForAck ||= packet.please;
        this.#acknowledged(packet.ack);
        return [];
      case "ping":
      case "pong":
        this.#acknowledged(packet.ack);
        return [];
      default:
        return [];
    }
    this.#owedBytes += size;
    return heard;
  }

  #number(seq: number, heard: Heard, now: number): Heard[] {
    this.#expected = seq + 1;
    this.#owedSince ??= now;
    return this.inbox.take(seq, heard);
  }

  #acknowledged(ack: number | null): void {
    if (ack !== null) this.outbox.acknowledge(ack);
  }

  // -- being asked

  /** The server asks; false if too much is asked at once: then it has its answer. */
  takeRequest(ref: number): boolean {
    if (this.asked.has(ref)) throw new ProtocolError(`ref ${ref} is still open`);
    this.asked.add(ref);
    if (this.asked.size <= this.limits.requests) return true;
    this.#fail(ref, "rate_limited", "too many requests are open at once");
    return false;
  }

  /** The server no longer waits for `ref`: that is its answer. False if it had one, or never asked. */
  takeCancel(ref: number): boolean {
    if (!this.asked.has(ref)) return false;
    this.#fail(ref, "cancelled", "nobody waits for the reply any more");
    return true;
  }

  /** Answer request `ref`; nothing if it has its answer. */
  reply(ref: number, value: unknown, failed: boolean, size: number): void {
    if (!this.asked.has(ref)) return;
    if (size && size > this.peer.packet - ENVELOPE) {
      return this.#fail(ref, "too_large", "the reply is larger than the asker takes");
    }
    this.asked.delete(ref);
    this.outbox.put({ reply: ref, value, failed, size });
  }

  #fail(ref: number, code: string, message: string): void {
    this.reply(ref, { code, message, data: null }, true, 0);
  }

  // -- acknowledging

  // How far this side has taken charge: held back while handlers lag, so that in time the server waits.
  get #tellable(): number {
    return Math.max(this.#told, this.inbox.top - Math.max(0, this.backlog - this.limits.backlog));
  }

  /** When an acknowledgement must go alone; null if nothing is owed. */
  ackDue(): number | null {
    const owed = this.#tellable - this.#told;
    if (this.#askedForAck) return 0;
    if (!owed) return null;
    // a quarter of the window at the latest, or the server would wait for the delay
    const { items, bytes, delay } = this.acks;
    if (owed >= Math.min(items, Math.floor(this.limits.window / 4))) return 0;
    if (this.#owedBytes >= Math.min(bytes, Math.floor(this.limits.windowBytes / 4))) return 0;
    return this.#owedSince === null ? 0 : this.#owedSince + delay;
  }

  /** The acknowledgement, for a packet or head that always states it. */
  ack(): number {
    this.#tell();
    return this.#told;
  }

  /** The acknowledgement, for a packet that can take it along, or null if it says nothing new. */
  news(): number | null {
    const told = this.#told;
    return this.ack() > told ? this.#told : null;
  }

  #tell(): void {
    this.#told = this.#tellable;
    this.#owedSince = null;
    this.#owedBytes = 0;
    this.#askedForAck = false;
  }

  // -- saying

  /** Keep an item for `say`; throws what keeps it from being kept. */
  put(item: Item): void {
    const { limits, outbox, peer } = this;
    if (item.size > peer.packet - ENVELOPE) {
      throw new PackError(`${item.size} bytes packed; the server takes ${peer.packet} at most`);
    }
    if (isEvent(item) && item.key === VOLATILE) {
      const passing = this.#passing;
      let bytes = 0;
      passing.push(item);
      for (const { size } of passing) bytes += size + 1;
      while (passing.length > peer.window || bytes > peer.packet - ENVELOPE) bytes -= passing.shift()!.size + 1;
      return;
    }
    if (outbox.length > limits.outbox || outbox.bytes > limits.outboxBytes) {
      throw new OutboxFull("too many events wait for the server: slow down, or wait for a reply now and then");
    }
    outbox.put(item);
  }

  /** The volatile events, which leave now, or never. They fill one packet at most. */
  passOn(): Packet[] {
    const events = this.#passing;
    this.#passing = [];
    return events.length ? [{ type: "events", events, seq: 0 }] : [];
  }

  /** The packets that may leave now: runs of events as batches no longer than the server takes, and the line carries. */
  say(maxBytes = Infinity): Packet[] {
    const { outbox, peer } = this;
    const longest = Math.min(peer.packet - ENVELOPE, outbox.stretch);
    const most = maxBytes < Infinity ? Math.min(maxBytes, outbox.stretch) : maxBytes;
    const packets: Packet[] = [];
    let batch: ChannelEvent[] | null = null;
    let room = 0;
    for (const [seq, item] of outbox.take(peer.window, peer.windowBytes, most)) {
      if (isAsked(item)) {
        batch = null;
        packets.push({ type: "request", event: item.event, ref: item.ref, seq, ack: this.news() });
        continue;
      }
      if (isAnswered(item)) {
        batch = null;
        packets.push({ type: "reply", value: item.value, ref: item.reply, seq, ack: this.news(), failed: item.failed });
        continue;
      }
      const event = isEvent(item) ? item : { id: CANCEL, data: item.withdrawn, size: item.size };
      if (batch && item.size + 1 <= room) {
        batch.push(event);
        room -= item.size + 1;
      } else {
        batch = [event];
        room = longest - item.size;
        packets.push({ type: "events", events: batch, seq });
      }
    }
    return packets;
  }
}

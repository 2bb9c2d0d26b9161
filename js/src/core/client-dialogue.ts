import type { ClientAction } from "./actions.js";
import { Conversation, ENVELOPE } from "./conversation.js";
import { AUTH_DUE, BYE, CANCEL, RATE_LIMITED, isObject, type ChannelEvent, type Packet } from "./messages.js";
import { isAnswered, isAsked, isEvent, type Item } from "./outbox.js";
import { Requests } from "./requests.js";
import type { Limits } from "./settings.js";

/** What a client says and hears, whichever links it travels on; outlives sessions. */
export class Dialogue {
  talk: Conversation;
  readonly requests: Requests;
  readonly #limits: Limits;
  readonly #actions: ClientAction[];

  constructor(limits: Limits, actions: ClientAction[]) {
    this.#limits = limits;
    this.#actions = actions;
    this.requests = new Requests(actions);
    this.talk = new Conversation(limits);
  }

  /** Put a request; its reference. */
  ask(event: ChannelEvent, deadline: number): number {
    const asked = { event, ref: this.requests.next, size: event.size };
    this.talk.put(asked);
    return this.requests.add(deadline, asked);
  }

  /** The asker no longer waits for `ref`. */
  cancel(ref: number): void {
    this.requests.cancel(ref, this.talk.outbox);
  }

  /** Settle the requests whose time is up. */
  handleTimer(now: number): void {
    this.requests.handleTimer(now, this.talk.outbox);
  }

  /**
   * Take what the packet put in order; returns the server's own words for the session: that credentials are about to
   * expire, and its goodbye, after which nothing is taken.
   */
  hear(packet: Packet, size: number, now: number): ChannelEvent[] {
    const words: ChannelEvent[] = [];
    for (const heard of this.talk.hear(packet, size, now)) {
      if (!heard) continue; // a dropped number: counted, that is all
      if ("type" in heard) {
        if (heard.type === "reply") this.requests.settle(heard.ref, heard.failed ? "error" : "reply", heard.value);
        else if (this.talk.takeRequest(heard.ref)) this.#deliver(heard.event, heard.ref);
      } else if (heard.id === CANCEL) {
        const ref = heard.data as number;
        if (this.talk.takeCancel(ref)) this.#actions.push({ type: "cancelled", ref });
      } else if ((heard.id === BYE || heard.id === AUTH_DUE) && isObject(heard.data)) {
        words.push(heard);
        if (heard.id === BYE) break;
      } else if (heard.id === RATE_LIMITED || !heard.id.startsWith("chsk/")) {
        this.#deliver(heard, null);
      }
    }
    return words;
  }

  /**
   * The session is gone: carry over what the server had not received, above `prev`, null: nobody knows; and requests
   * that may be asked again. Nothing goes over to another user, and nothing that is larger than the next server's
   * `packet`, which would end each session anew: the application gets back what it had said.
   */
  startAnew(prev: number | null, sameUser = true, packet = Infinity): void {
    const { outbox, backlog } = this.talk;
    const sent: Item[] = outbox.sentAbove(prev ?? 0);
    const left: Item[] = [...(prev === null ? [] : sent), ...outbox.waiting()];
    // a reply is for the session that asked: it is not carried over
    const fits = (item: Item): boolean => item.size <= packet - ENVELOPE;
    const carried = sameUser ? left.filter((item) => fits(item) && !isAnswered(item)) : [];
    if (sameUser) {
      const again = [...this.requests.repeatable.values()];
      carried.unshift(...again.filter((asked) => fits(asked) && !carried.includes(asked)));
    }
    this.#replaceTalk();
    this.talk.backlog = backlog; // what was delivered is still to be handled
    for (const item of carried) this.talk.outbox.put(item);
    this.requests.disconnected(new Set(carried.filter(isAsked).map((item) => item.ref)));
    const lost = sameUser ? (prev === null ? sent : []) : [...sent, ...outbox.waiting()];
    if (sameUser) lost.push(...left.filter((item) => !fits(item)));
    const doubtful = lost.filter(isEvent);
    if (doubtful.length > 0) this.#actions.push({ type: "unconfirmed", events: doubtful });
  }

  /** The session is over, and nothing of it goes on. */
  end(): void {
    this.#replaceTalk();
    this.requests.disconnected();
  }

  #deliver(event: ChannelEvent, ref: number | null): void {
    this.talk.backlog += 1;
    this.#actions.push({ type: "deliver", event, ref });
  }

  #replaceTalk(): void {
    for (const ref of [...this.talk.asked].sort((a, b) => a - b)) this.#actions.push({ type: "cancelled", ref });
    this.talk = new Conversation(this.#limits);
  }
}

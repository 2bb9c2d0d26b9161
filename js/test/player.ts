// A client core that is played step by step: what `tests/scenarios/` is written in, and what Python speaks over a pipe.

import assert from "node:assert/strict";
import type { ClientAction } from "../src/core/actions.js";
import { ClientSession } from "../src/core/client-session.js";
import { readPacket, writePacket, type Packet } from "../src/core/messages.js";
import { clientSettings } from "../src/core/settings.js";

export type Plain = Record<string, any>;

const SIZE = 20;
const EPOCH = 1000;

/** A client core whose clock and line are the steps of a scenario. */
export class Player {
  readonly core: ClientSession;
  readonly steps: Plain[];
  readonly #defaults: Plain;
  #now = 0;
  #state: unknown;

  constructor(scenario: Plain, defaults: Plain = { begin: {} }) {
    this.#defaults = defaults;
    let clients = 0;
    this.core = new ClientSession(clientSettings(camel(scenario.settings ?? {})), {
      newClientId: () => `client-${++clients}`,
      jitter: () => 0.5,
      transport: scenario.transport ?? "ws",
      epoch: scenario.epoch ?? EPOCH,
      renewable: scenario.renewable ?? false,
      contract: scenario.contract,
    });
    this.#state = this.core.state;
    this.steps = [...(defaults.begin[scenario.begin] ?? []), ...scenario.steps];
  }

  /** Give the step's input; what the core wants done. */
  play(step: Plain): unknown[] {
    const [word, value] = Object.entries(step)[0] as [string, any];
    this.#now = step.now ?? this.#now;
    try {
      const returned = this.#input(word, value, step);
      assert.equal(undefined, step.raises);
      if ("returns" in step) assert.equal(returned, step.returns);
    } catch (error) {
      if ((error as Error).name !== step.raises) throw error;
    }
    return this.#done();
  }

  #input(word: string, value: any, step: Plain): unknown {
    const { core } = this;
    const now = this.#now;
    const read = (plain: unknown, size = SIZE): [Packet, number] => [readPacket(plain, size), size];
    switch (word) {
      case "connect":
      case "disconnect":
      case "reconnect":
      case "delivered":
      case "wake":
        return core[word](now);
      case "renewed":
        return core.renewed();
      case "prefer":
        return core.prefer(value, now);
      case "send":
        return core.send({ id: value[0], data: value[1], size: value[2] ?? SIZE, key: value[3] });
      case "request":
        return core.request({ id: value[0], data: value[1], size: SIZE, again: value[3] }, value[2], now);
      case "cancel":
        return core.cancel(value);
      case "reply":
        return core.reply(value[0], value[1], value[2] ?? false, value[3] ?? SIZE);
      case "first_frame":
        return core.firstFrame(value[0], value[1], now);
      case "welcome":
        return core.firstFrame(value, this.#defaults.welcome, now);
      case "receive":
        return core.receive(value[0], ...read(value[1], value[2]), now);
      case "handshake":
        return core.receive(value[0], ...read(this.#handshake(value[1], step)), now);
      case "exchanged":
        return core.exchanged(value[0], value[1], value[2].map((plain: unknown, i: number) => read(plain, value[3]?.[i])), now);
      case "handshake_answer": {
        const [link, info, ...plains] = value;
        const packets = [this.#handshake(info, step), ...plains].map((plain) => read(plain));
        return core.exchanged(link, { ack: info.ack ?? 0, seq: step.seq ?? 1 }, packets, now);
      }
      case "link_lost":
        return core.linkLost(value[0], now, value[1], value[2]);
      case "broken":
        return core.broken(value[0], value[1], now);
      case "handle_timer":
        return core.handleTimer(now);
      case "climb_soon":
        return core.climb.soon(now);
      case "advance":
        return this.#advance(now + value);
    }
    return assert.fail(`no input: ${word}`);
  }

  #handshake(info: Plain, step: Plain): unknown {
    const defaults = this.#defaults;
    const whole = { ...defaults.info, ...info, limits: { ...defaults.info.limits, ...info.limits } };
    return [["chsk/handshake", [step.uid ?? defaults.uid, null, defaults.handshake_data, whole]], null, 0];
  }

  #advance(until: number): void {
    for (let turns = 0; ; turns++) {
      assert.ok(turns < 100, "the timers never come to rest");
      const when = this.core.nextTimer();
      if (when === null || when > until) break;
      this.#now = Math.max(this.#now, when);
      this.core.handleTimer(this.#now);
    }
    this.#now = until;
  }

  #done(): unknown[] {
    const done: unknown[] = [];
    for (const action of this.core.takeActions()) {
      if (action.type === "stateChanged") {
        assert.equal(action.old, this.#state);
        assert.notDeepEqual(action.new, action.old);
        this.#state = action.new;
      } else {
        done.push(plain(action));
      }
    }
    assert.equal(this.core.state, this.#state);
    return JSON.parse(JSON.stringify(done));
  }
}

function plain(action: ClientAction): unknown[] {
  switch (action.type) {
    case "openLink":
      return ["open", action.link, action.transport];
    case "sayHello":
      return ["hello", action.link, action.transport, action.hello];
    case "transmit":
      return ["transmit", action.link, action.packets.map(writePacket)];
    case "exchange":
      return ["exchange", action.link, action.head, action.packets.map(writePacket)];
    case "close":
      return ["close", action.link, action.code, action.reason];
    case "deliver":
      return ["deliver", action.event.id, action.event.data, ...(action.ref === null ? [] : [action.ref])];
    case "cancelled":
      return ["cancelled", action.ref];
    case "settle":
      return ["settle", action.ref, action.outcome, action.value];
    case "unconfirmed":
      return ["unconfirmed", action.events.map((event) => [event.id, event.data])];
    case "stateChanged":
      return assert.fail("is compared apart");
  }
}

const camelName = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** Names as they are in JavaScript, in JSON that has Python's. */
export function camel(plain: any): any {
  if (typeof plain !== "object" || plain === null) return plain;
  return Object.fromEntries(Object.entries(plain).map(([key, value]) => [camelName(key), camel(value)]));
}

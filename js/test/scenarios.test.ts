// The client core against ../tests/scenarios/, which the Python core is held to as well.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { ClientAction } from "../src/core/actions.js";
import { ClientSession } from "../src/core/client-session.js";
import { readPacket, writePacket, type Packet } from "../src/core/messages.js";
import { clientSettings } from "../src/core/settings.js";

type Plain = Record<string, any>;

const FOLDER = new URL("../../tests/scenarios/", import.meta.url);
const SIZE = 20;
const EPOCH = 1000;

const load = (name: string): Plain => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"));
const DEFAULTS = load("defaults.json");

/** A client core whose clock and line are the steps of a scenario. */
class Player {
  readonly core: ClientSession;
  readonly steps: Plain[];
  #now = 0;
  #state: unknown;

  constructor(scenario: Plain) {
    let clients = 0;
    this.core = new ClientSession(clientSettings(camel(scenario.settings ?? {})), {
      newClientId: () => `client-${++clients}`,
      jitter: () => 0.5,
      transport: scenario.transport ?? "ws",
      epoch: EPOCH,
      renewable: scenario.renewable ?? false,
      contract: scenario.contract,
    });
    this.#state = this.core.state;
    this.steps = [...(DEFAULTS.begin[scenario.begin] ?? []), ...scenario.steps];
  }

  /** Give the step's input; what the core wants done. */
  play(step: Plain): unknown[] {
    const [word, value] = Object.entries(step)[0] as [string, any];
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
        return core.send({ id: value[0], data: value[1], size: value[2] ?? SIZE });
      case "request":
        return core.request({ id: value[0], data: value[1], size: SIZE }, value[2], now);
      case "cancel":
        return core.cancel(value);
      case "reply":
        return core.reply(value[0], value[1], value[2] ?? false, value[3] ?? SIZE);
      case "first_frame":
        return core.firstFrame(value[0], value[1], now);
      case "welcome":
        return core.firstFrame(value, DEFAULTS.welcome, now);
      case "receive":
        return core.receive(value[0], ...read(value[1], value[2]), now);
      case "handshake":
        return core.receive(value[0], ...read(handshake(value[1], step)), now);
      case "exchanged":
        return core.exchanged(value[0], value[1], value[2].map((plain: unknown) => read(plain)), now);
      case "handshake_answer": {
        const [link, info, ...plains] = value;
        const packets = [handshake(info, step), ...plains].map((plain) => read(plain));
        return core.exchanged(link, { ack: info.ack ?? 0, seq: step.seq ?? 1 }, packets, now);
      }
      case "link_lost":
        return core.linkLost(value[0], now, value[1], value[2]);
      case "broken":
        return core.broken(value[0], value[1], now);
      case "advance":
        return this.#advance(now + value);
    }
    return assert.fail(`no input: ${word}`);
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

function handshake(info: Plain, step: Plain): unknown {
  const whole = { ...DEFAULTS.info, ...info, limits: { ...DEFAULTS.info.limits, ...info.limits } };
  return [["chsk/handshake", [step.uid ?? DEFAULTS.uid, null, DEFAULTS.handshake_data, whole]], null, 0];
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

/** `got`, with of its objects only the keys that are expected of them. */
function asExpected(expected: any, got: any): unknown {
  if (typeof got === "number") return Math.round(got * 1e6) / 1e6;
  if (typeof expected !== "object" || expected === null || typeof got !== "object" || got === null) return got;
  return Object.fromEntries(Object.keys(expected).map((key) => [key, asExpected(expected[key], got[key])]));
}

/** Actions are compared whole, but for a hello, which also states limits. */
function compared(expected: any[], got: any[]): unknown[] {
  return got.map((action, i) =>
    action[0] === "hello" ? [...action.slice(0, 3), asExpected(expected[i]?.[3], action[3])] : action,
  );
}

const camelName = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function camel(plain: any): any {
  if (typeof plain !== "object" || plain === null) return plain;
  return Object.fromEntries(Object.entries(plain).map(([key, value]) => [camelName(key), camel(value)]));
}

const names = readdirSync(FOLDER).filter((name) => name.endsWith(".json") && name !== "defaults.json");
assert.ok(names.length >= 20);

for (const name of names.sort()) {
  test(`scenario ${name.slice(0, -5)}`, () => {
    const player = new Player(load(name));
    for (const [i, step] of player.steps.entries()) {
      const where = `step ${i + 1} ${JSON.stringify(step)}`;
      const expected = step.then ?? [];
      assert.deepEqual(compared(expected, player.play(step)), expected, where);
      const wanted = camel(step.state ?? {});
      assert.deepEqual(asExpected(wanted, player.core.state), wanted, where);
      if ("next_timer" in step) assert.equal(asExpected(null, player.core.nextTimer()), step.next_timer, where);
    }
  });
}

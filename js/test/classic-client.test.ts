// The core of a client of a Sente server: what it says, hears, and gives up. As tests/protocol/test_classic_client.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientAction, Link } from "../src/core/actions.js";
import { ClassicSession, HOLD } from "../src/core/classic-client.js";
import { readClassic, readHandshake } from "../src/core/classic.js";
import type { Wanted } from "../src/core/client-state.js";
import type { ChannelEvent, Classic } from "../src/core/messages.js";
import { clientSettings, type SettingsOverrides } from "../src/core/settings.js";
import { Disconnected, OutboxFull, PackError, ProtocolError } from "../src/errors.js";

const GREETING = [["chsk/handshake", ["ada", null, { hi: 1 }]], null];
const PING = classic(["chsk/ws-ping"], "chsk/ws-ping");

function classic(message: unknown, ref: unknown = null): Classic {
  return { type: "classic", message, ref };
}

const event = (id: string, data: unknown = null, size = 0): ChannelEvent => ({ id, data, size });
const transmit = (link: Link, packet: Classic) => ({ type: "transmit", link, packets: [packet] });
const settle = (ref: number, outcome: string, value: unknown = null) => ({ type: "settle", ref, outcome, value });

function core(transport: Wanted, limits: SettingsOverrides["limits"] = {}): ClassicSession {
  return new ClassicSession(clientSettings({ limits }), { newClientId: () => "c1", jitter: () => 0, transport });
}

/** What the core wants done, states apart. */
function work(session: ClassicSession): any[] {
  return session.takeActions().filter(({ type }: ClientAction) => type !== "stateChanged");
}

/** An open client, and its WebSocket or first poll. */
function opened(transport: Wanted = "ws", limits: SettingsOverrides["limits"] = {}): [ClassicSession, Link] {
  const session = core(transport, limits);
  session.connect(0);
  const [{ link }] = work(session);
  session.firstFrame(link, GREETING, 0);
  return transport === "ws" ? [session, link] : [session, work(session)[0].link];
}

for (const plain of [null, { sente: 1, packer: "json" }, [], [["chsk/handshake", ["ada"]], null], [GREETING[0], 1]]) {
  test(`${JSON.stringify(plain)} as first words is given up`, () => {
    const session = core("ws");
    session.connect(0);
    const [{ link }] = work(session);
    session.firstFrame(link, plain, 0);
    const reason = "the server's first words are no handshake of Sente's: is this its endpoint?";
    assert.deepEqual(work(session), [{ type: "close", link, code: 4400, reason }]);
    session.firstFrame(link, GREETING, 0);
    assert.equal(session.state.open, false);
  });
}

test("the handshake says who this is", () => {
  const [{ state }] = opened();
  const { open, firstOpen, uid, handshakeData, resumed, lost } = state;
  assert.deepEqual([open, firstOpen, uid, handshakeData, resumed, lost], [true, true, "ada", { hi: 1 }, false, 0]);
  assert.deepEqual(readHandshake([["chsk/handshake", ["sente/nil-uid", null, 1]], null]), { uid: null, handshakeData: 1 });
});

test("a message is a list of two", () => {
  for (const plain of ["x", null, [], [1], [1, 2, 3]]) assert.throws(() => readClassic(plain), ProtocolError);
  assert.deepEqual(readClassic([undefined, 0]), classic(null, 0));
});

test("pings are answered, and silence is asked about", () => {
  const [session, ws] = opened();
  session.receive(ws, classic("chsk/ws-ping"), 9, 1);
  assert.deepEqual(work(session), [transmit(ws, classic(["chsk/ws-pong"]))]);
  assert.equal(session.nextTimer(), 11);
  session.handleTimer(11);
  assert.deepEqual(work(session), [transmit(ws, PING)]);
  session.receive(ws, classic("pong", "chsk/ws-ping"), 9, 12);
  assert.equal(session.nextTimer(), 22);
  session.handleTimer(22);
  assert.equal(session.nextTimer(), 27);
  session.handleTimer(27);
  const close = { type: "close", link: ws, code: 4400, reason: "no sign of life" };
  assert.deepEqual(work(session), [transmit(ws, PING), close]);
  session.receive(ws, classic("pong", "chsk/ws-ping"), 9, 28);
  session.exchanged(ws, null, [], 28);
  assert.equal(session.state.open, false);
});

test("who wakes up pings at once and lets a poll go on", () => {
  const [session, ws] = opened();
  session.wake(3);
  assert.deepEqual(work(session), [transmit(ws, PING)]);
  assert.equal(session.nextTimer(), 8);
  const [polling, poll] = opened("poll");
  polling.wake(100);
  assert.deepEqual(work(polling), []);
  assert.equal(polling.nextTimer(), 103, "an answer may wait to be read");
  polling.exchanged(poll, null, [[classic([["a/b", 1]]), 9]], 101);
  assert.deepEqual(work(polling).map(({ type }) => type), ["deliver", "exchange"]);
});

test("a page that is put away leaves its line; what may wait leaves with the next", () => {
  const [session, ws] = opened();
  session.leave(1);
  assert.deepEqual(work(session), [{ type: "close", link: ws, code: 4000, reason: "page-hidden" }]);
  assert.equal(session.nextTimer(), null);
  assert.equal(session.send(event("a/b", 1)), false);
  assert.equal(session.send(event("a/b", 2), true), true);
  session.wake(2);
  session.handleTimer(2);
  const [open] = work(session) as [{ type: string; link: Link }];
  assert.equal(open.type, "openLink");
  session.firstFrame(open.link, GREETING, 2);
  assert.deepEqual(work(session), [transmit(open.link, classic(["a/b", 2]))]);
});

for (const [word, outcome] of [
  ["chsk/timeout", "timeout"],
  ["chsk/closed", "disconnected"],
  ["chsk/error", "error"],
] as const) {
  test(`${word} in the place of a reply`, () => {
    const [session, ws] = opened();
    const ref = session.request(event("a/b", 1), 5, 0);
    session.handleTimer(0);
    assert.deepEqual(work(session), [transmit(ws, classic(["a/b", 1], "1"))]);
    session.receive(ws, classic(word, "1"), 9, 1);
    session.receive(ws, classic("late", "1"), 9, 1);
    session.receive(ws, classic("nonsense", ["1"]), 9, 1);
    session.receive(ws, { type: "ack", ack: 1, please: false }, 9, 1);
    const [settled, ...more] = work(session);
    assert.deepEqual([settled.ref, settled.outcome, more], [ref, outcome, []]);
    if (outcome === "error") assert.equal(settled.value.code, "error");
  });
}

test("pushes are delivered, but for the server's own words", () => {
  const [session, ws] = opened();
  session.receive(ws, classic([["a/b", 1], ["chsk/x"], "?", ["a/c"]]), 8, 1);
  session.receive(ws, classic("nonsense"), 9, 1);
  assert.deepEqual(work(session).map((action) => action.event), [event("a/b", 1, 2), event("a/c", null, 2)]);
});

test("a server that is not read is not silent", () => {
  const [session, ws] = opened("ws", { backlog: 1 });
  session.receive(ws, classic([["a/b", 1]]), 9, 1);
  assert.deepEqual([session.full, session.nextTimer()], [true, null]);
  session.delivered(100);
  session.delivered(100);
  assert.equal(session.nextTimer(), 110);
});

test("while the application is behind, nothing is polled for", () => {
  const [session, poll] = opened("poll", { backlog: 1 });
  session.exchanged(poll, null, [[classic([["a/b", 1]]), 9]], 1);
  assert.deepEqual(work(session).map(({ type }) => type), ["deliver"]);
  session.delivered(2);
  assert.deepEqual(work(session).map(({ type }) => type), ["exchange"]);
});

test("polls go on, and a new greeting is another server", () => {
  const [session, poll] = opened("poll");
  session.exchanged(poll, null, [[classic("chsk/timeout"), 9]], 1);
  const [again] = work(session);
  session.exchanged(again.link, null, [[readClassic(GREETING), 9]], 2);
  assert.deepEqual([session.state.lost, session.state.firstOpen, session.state.open], [null, false, true]);
  const [{ link }] = work(session);
  session.handleTimer(2 + HOLD);
  assert.deepEqual(work(session), [{ type: "close", link, code: 4400, reason: "no answer to poll" }]);
});

test("events are POSTed one by one, and requests do not hold them up", () => {
  const [session] = opened("poll");
  session.send(event("a/a"));
  session.send(event("a/b"));
  const ref = session.request(event("a/c"), 5, 0);
  session.send(event("a/d"));
  session.handleTimer(0);
  const [first, ...rest] = work(session);
  assert.deepEqual([first.packets, rest], [[classic(["a/a", null])], []]);
  session.exchanged(first.link, null, [[classic("chsk/dummy-cb-200"), 9]], 1);
  const [second] = work(session);
  assert.deepEqual(second.packets, [classic(["a/b", null])]);
  session.exchanged(second.link, null, [[classic("chsk/dummy-cb-200"), 9]], 1);
  const [asked, fourth] = work(session);
  assert.deepEqual([asked.packets, fourth.packets], [[classic(["a/c", null], "ajax")], [classic(["a/d", null])]]);
  assert.equal(session.nextTimer(), 5);
  session.handleTimer(5);
  const close = { type: "close", link: asked.link, code: 4000, reason: "nobody waits" };
  assert.deepEqual(work(session), [close, settle(ref, "timeout")]);
  session.cancel(ref);
  session.exchanged(asked.link, null, [[classic(1), 9]], 6);
  assert.deepEqual(work(session), []);
});

test("a POST's answer is the reply", () => {
  const [session] = opened("poll");
  const refs = [1, 2].map((data) => session.request(event("a/b", data), 5, 0));
  session.handleTimer(0);
  const [one, two] = work(session);
  session.exchanged(two.link, null, [[classic("second"), 9]], 1);
  session.exchanged(one.link, null, [[classic(null), 9]], 1);
  assert.deepEqual(work(session), [settle(refs[1] as number, "reply", "second"), settle(refs[0] as number, "reply")]);
});

test("what never left leaves on the next line", () => {
  const [session, poll] = opened("poll");
  session.send(event("a/a", null, 10));
  session.send(event("a/b", null, 10));
  const ref = session.request(event("a/c"), 5, 0);
  session.handleTimer(0);
  session.linkLost(poll, 3);
  assert.deepEqual(work(session).filter(({ type }) => type === "settle"), [settle(ref, "disconnected")]);
  session.handleTimer(3);
  const [opening] = work(session);
  session.firstFrame(opening.link, GREETING, 3);
  assert.deepEqual(work(session)[0].packets, [classic(["a/b", null])]);
});

test("auto polls where no WebSocket gets through, and tries one again once one had worked", () => {
  const auto = core("auto");
  auto.connect(0);
  auto.linkLost(work(auto)[0].link, 0, 1006);
  auto.handleTimer(0);
  const [polled] = work(auto);
  assert.equal(polled.transport, "poll");
  auto.firstFrame(polled.link, GREETING, 0);
  assert.deepEqual([auto.state.transport, auto.state.lastWsError?.reason], ["poll", "downgrading-ws-to-poll"]);
  assert.equal(auto.nextTimer(), HOLD, "no WebSocket is tried beside the polls");

  const [session] = opened("ws");
  session.prefer("auto", 1);
  session.linkLost(work(session).at(-1).link, 1);
  session.handleTimer(9);
  const [welcome] = work(session);
  assert.equal(welcome.transport, "poll");
  session.firstFrame(welcome.link, GREETING, 9);
  assert.deepEqual(work(session).map(({ transport }) => transport), ["ws"]);
});

test("a refusal of a poll is final", () => {
  const session = core("poll");
  session.connect(0);
  session.linkLost(work(session)[0].link, 0, 403);
  assert.deepEqual([session.state.refused?.code, session.nextTimer()], [403, null]);
});

test("without a line nothing is said", () => {
  const session = core("ws");
  assert.equal(session.send(event("a/b")), false);
  assert.throws(() => session.request(event("a/b"), 5, 0), Disconnected);
});

test("limits are errors of the caller", () => {
  const [session, ws] = opened("ws", { packet: 1000, outbox: 4, requests: 1, outboxBytes: 1500 });
  assert.throws(() => session.send(event("a/b", null, 969)), PackError);
  session.send(event("a/b", null, 968));
  assert.throws(() => session.send(event("a/b", null, 600)), OutboxFull);
  const ref = session.request(event("a/b"), 5, 0);
  assert.throws(() => session.request(event("a/b"), 5, 0), /1 requests wait/);
  session.send(event("a/b"));
  session.handleTimer(0);
  assert.deepEqual(work(session).at(-1), transmit(ws, PING), "before it is full, it asks what was read");
  session.send(event("a/b"));
  assert.throws(() => session.send(event("a/b")), /slow down/);
  session.receive(ws, classic("pong", "chsk/ws-ping"), 9, 1);
  assert.ok(session.send(event("a/b", null, 900)));
  session.cancel(ref);
  session.handleTimer(9);
  assert.ok(!work(session).some(({ type }) => type === "settle"));
});

test("what is said leaves at once", () => {
  const [session, ws] = opened();
  assert.ok(session.send(event("a/b", 1)));
  assert.equal(session.nextTimer(), 0);
  session.handleTimer(0);
  assert.deepEqual(work(session), [transmit(ws, classic(["a/b", 1]))]);
});

test("goodbye on a WebSocket says what waits, and closes", () => {
  const [session, ws] = opened();
  session.send(event("a/b", 1));
  session.disconnect(0);
  const close = { type: "close", link: ws, code: 1000, reason: "goodbye" };
  assert.deepEqual(work(session), [transmit(ws, classic(["a/b", 1])), close]);
  assert.deepEqual([session.state.lastClose?.reason, session.nextTimer()], ["requested-disconnect", null]);
});

test("goodbye while polling lets events go and gives requests up", () => {
  const [session, poll] = opened("poll");
  session.send(event("a/a"));
  session.handleTimer(0);
  const [first] = work(session);
  session.send(event("a/b"));
  const ref = session.request(event("c/d"), 5, 0);
  session.disconnect(0);
  const [second, request, ...rest] = work(session);
  assert.deepEqual([second.packets, request.packets], [[classic(["a/b", null])], [classic(["c/d", null], "ajax")]]);
  const closed = rest.flatMap((action) => (action.type === "close" ? [action.link] : []));
  assert.ok(!closed.includes(first.link) && !closed.includes(second.link), "events have to get there");
  assert.deepEqual(closed, [poll, request.link]);
  assert.deepEqual(rest.at(-1), settle(ref, "disconnected"));
  session.exchanged(second.link, null, [[classic("chsk/dummy-cb-200"), 9]], 1);
  assert.deepEqual(work(session), []);
});

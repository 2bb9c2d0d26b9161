import assert from "node:assert/strict";
import { test } from "node:test";
import { initialState } from "../src/core/client-state.js";
import { endpoint, inMilliseconds, inSeconds, isRenewable } from "../src/options.js";

test("the address keeps what it has and says who asks", () => {
  const url = endpoint("wss://example.com/chsk?room=go#top", "c1", { lang: "ja", v: "9" }, { v: "1", packers: "auto,json" });
  assert.equal(url.href, "https://example.com/chsk?room=go&lang=ja&v=1&client-id=c1&packers=auto%2Cjson");
});

test("an address without a page to be relative to is an error", () => {
  assert.throws(() => endpoint("/chsk", "c1", {}, {}), TypeError);
});

test("settings are milliseconds outside and seconds inside", () => {
  const settings = inSeconds({ ping: 2500, posts: 1, limits: { window: 8, ack: { delay: 100 } } });
  assert.equal(settings.ping, 2.5);
  assert.equal(settings.handshakeTimeout, 5);
  assert.equal(settings.posts, 1);
  assert.deepEqual(settings.limits.ack, { items: 64, bytes: 262144, delay: 0.1 });
  assert.equal(settings.limits.window, 8);
  assert.equal(inSeconds().limits.ack.delay, 5);
});

test("a state tells times as Date takes them", () => {
  const lastClose = { at: 1.5, reason: "unexpected", code: null, message: "" } as const;
  const state = inMilliseconds({ ...initialState("c1"), lastClose, nextReconnect: 2 });
  assert.equal(state.lastClose?.at, 1500);
  assert.equal(state.nextReconnect, 2000);
  assert.equal(state.refused, null);
});

test("credentials are renewable if one of them is asked for", () => {
  assert.equal(isRenewable({ csrf: "token", headers: {} }), false);
  assert.equal(isRenewable({ csrf: () => "token" }), true);
});

// What the compiler says of a client whose events are known. `npm run check` fails where an error is missing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, type Client, type Contract, type EventMap, type TypedClient, UUID } from "../src/index.js";

interface Events {
  toServer: {
    /** Someone says something. */
    "chat/say": { data: { text: string; tags?: string[] }; reply: { at: Date } };
    "chat/leave": { data: null; reply: null };
  };
  toClient: {
    "chat/said": { data: { id: UUID; text: string }; reply: null };
    "device/confirm": { data: string; reply: boolean };
  };
}

const contract: Contract<Events> = { hash: "00", events: {} };

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Fails to compile unless `A` is exactly `B`. */
function same<A, B>(..._: Same<A, B> extends true ? [] : [never]): void {}

// Never called: it is read by the compiler only.
export async function typed(chsk: TypedClient<Events>): Promise<void> {
  same<ReturnType<typeof chsk.send>, boolean>();
  chsk.send("chat/say", { text: "hi" });
  chsk.send("chat/leave");
  chsk.send("chat/leave", null);
  // @ts-expect-error: data is needed
  chsk.send("chat/say");
  // @ts-expect-error: a field is of another type
  chsk.send("chat/say", { text: 7 });
  // @ts-expect-error: a field that is not there
  chsk.send("chat/say", { text: "hi", tag: "x" });
  // @ts-expect-error: no such event
  chsk.send("chat/sya", { text: "hi" });
  // @ts-expect-error: the server says this one
  chsk.send("device/confirm", "what");

  const reply = await chsk.request("chat/say", { text: "hi" }, { timeout: 1000 });
  same<typeof reply, { at: Date }>();
  const nothing = await chsk.request("chat/leave", null, { timeout: 1000 });
  same<typeof nothing, null>();
  // @ts-expect-error: the options are not data
  await chsk.request("chat/say", { timeout: 1000 });

  const off = chsk.on("chat/said", (data, id, signal) => {
    same<typeof data, { id: UUID; text: string }>();
    same<typeof id, "chat/said">();
    same<typeof signal, AbortSignal | undefined>();
  });
  same<typeof off, () => void>();
  chsk.on("chat/said", async () => 7); // what it returns is nobody's reply
  chsk.on("device/confirm", async (what) => what === "yes");
  chsk.on("device/confirm", () => true);
  // @ts-expect-error: the reply is a boolean
  chsk.on("device/confirm", () => "yes");
  // @ts-expect-error: only this side says it
  chsk.on("chat/leave", () => {});
  chsk.on("*", (data, id) => same<typeof data, unknown>() ?? id);
  chsk.on("chsk/bad-event", () => {});

  chsk.send("chat/leave", null, { queue: true });
  chsk.once("chat/said", (data) => same<typeof data, { id: UUID; text: string }>());
  // @ts-expect-error: only this side says it
  chsk.once("chat/leave", () => {});
  for await (const data of chsk.events("chat/said", { signal: AbortSignal.timeout(1) })) {
    same<typeof data, { id: UUID; text: string }>();
  }
  for await (const event of chsk.events("*")) same<typeof event, { id: string; data: unknown }>();
  // @ts-expect-error: only this side says it
  chsk.events("chat/leave");

  chsk.addEventListener("state", ({ detail }) => same<typeof detail.new.contract, typeof chsk.state.contract>());
  same<typeof chsk.ready, Promise<void>>();
}

export async function made(): Promise<void> {
  same<ReturnType<typeof connect<Events>>, TypedClient<Events>>();
  const named = connect<Events>("/chsk", { transport: "ws" });
  const both = connect<Events>("/chsk", { contract });
  connect<Events>(async () => "/chsk", { params: async () => ({ room: "go" }) });
  const inferred = connect("/chsk", { contract, transport: "ws" });
  same<typeof named, TypedClient<Events>>();
  same<typeof both, TypedClient<Events>>();
  same<typeof inferred, TypedClient<Events>>();
  const unknowing = connect("/chsk", { contract: { hash: "00", events: {} } });
  same<typeof unknowing, TypedClient<EventMap>>();
  same<Awaited<ReturnType<typeof unknowing.request>>, unknown>();
  unknowing.send("any/thing", 7);
}

export async function untyped(): Promise<void> {
  const chsk = connect("/chsk", { transport: "ws" });
  same<typeof chsk, Client>();
  same<ReturnType<typeof connect>, Client>();
  chsk.send("any/thing");
  const anything = await chsk.request("any/thing", 7, { timeout: 5 });
  same<typeof anything, unknown>();
  const number = await chsk.request<number>("any/thing");
  same<typeof number, number>();
  chsk.on<string>("any/thing", (data) => same<typeof data, string>());
  for await (const data of chsk.events<string>("any/thing")) same<typeof data, string>();
  await chsk.close();
}

test("a contract is a plain value", () => assert.deepEqual(JSON.parse(JSON.stringify(contract)), contract));

// Clients without WebSocket: each holds a poll, and asks beside it.

import { Exchanges } from "./exchange.mjs";

/**
 * By server: what opens a client, which then has `ask(data, ref)`, a promise of the reply; `tell(name, data)`, an event;
 * and `heard`, called with how many pushes came.
 */
export const polling = {
  /** docs/reference/protocol.md, section 7: the POST that asks brings the reply, unless the poll does. */
  async sente(port, number) {
    const path = `/?v=1&packers=json&client-id=load-${process.pid}-${number}`;
    const [polls, posts] = [new Exchanges(port), new Exchanges(port)];
    const waiting = new Map();
    let [n, heard, said, session] = [1, 0, 0, null];
    const hear = (body) => {
      const [head, ...frames] = read(body);
      let seq = head.seq;
      for (const [message, ref, numbered, , status] of frames) {
        if (numbered) seq = numbered;
        if (status === "reply") {
          waiting.get(ref)();
          waiting.delete(ref);
        } else if (Array.isArray(message?.[0])) {
          client.heard(message.length);
          seq += message.length - 1;
        }
        heard = Math.max(heard, seq++);
      }
      return frames;
    };
    const head = (wait) => ({ session, n: (n += 1), ack: heard, seq: said + 1, wait });
    const hello = row({ hello: 1, session: null, n, ack: 0 });
    const [handshake] = read(await posts.ask("POST", path, hello)).slice(1);
    session = handshake[0][1][3].session;
    const poll = () => polls.ask("POST", path, row(head(20_000))).then((body) => (hear(body), poll()));
    const client = {
      heard() {},
      async tell(name, data) {
        said += 1;
        hear(await posts.ask("POST", path, row({ ...head(0), seq: said }, [[[`bench/${name}`, data]], null, said])));
      },
      async ask(data, ref) {
        const packet = [["bench/echo", data], ref, said + 1, heard, "request"];
        const body = row(head(0), packet);
        said += 1;
        const replied = new Promise((resolve) => waiting.set(ref, resolve));
        hear(await posts.ask("POST", path, body));
        return replied;
      },
    };
    poll().catch(fail);
    return client;
  },
  /** Engine.IO 4: the POST is answered with "ok", and the poll brings the reply. */
  async socketio(port) {
    const path = "/socket.io/?EIO=4&transport=polling";
    const [polls, posts] = [new Exchanges(port), new Exchanges(port)];
    const waiting = new Map();
    const { sid } = JSON.parse((await polls.ask("GET", path)).toString().slice(1));
    const own = `${path}&sid=${sid}`;
    const say = (text) => posts.ask("POST", own, Buffer.from(text), "Content-Type: text/plain;charset=UTF-8\r\n");
    const hear = (body) => {
      for (const packet of body.toString().split("\x1e")) {
        if (packet === "2") say("3").catch(fail);
        if (packet.startsWith("42")) client.heard(1);
        if (!packet.startsWith("43")) continue;
        const ref = Number.parseInt(packet.slice(2), 10);
        JSON.parse(packet.slice(packet.indexOf("[")));
        waiting.get(ref)();
        waiting.delete(ref);
      }
    };
    await say("40");
    await polls.ask("GET", own);
    const poll = () => polls.ask("GET", own).then((body) => (hear(body), poll()));
    const client = {
      heard() {},
      tell: (name, data) => say(`42${JSON.stringify([name, data])}`),
      async ask(data, ref) {
        const replied = new Promise((resolve) => waiting.set(ref, resolve));
        await say(`42${ref}${JSON.stringify(["echo", data])}`);
        return replied;
      },
    };
    poll().catch(fail);
    return client;
  },
};

function fail(error) {
  throw error;
}

/** A row of text frames: before each its length, with the top bit set. */
function row(...values) {
  const frames = [];
  for (const value of values) {
    const text = Buffer.from(JSON.stringify(value));
    const length = Buffer.alloc(4);
    length.writeUInt32BE((0x80000000 | text.length) >>> 0);
    frames.push(length, text);
  }
  return Buffer.concat(frames);
}

function read(body) {
  const values = [];
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at) & 0x7fffffff;
    values.push(JSON.parse(body.toString("utf8", at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return values;
}

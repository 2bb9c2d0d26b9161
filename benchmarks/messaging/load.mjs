// The load: opens connections to one of the servers of apps.py, speaks its protocol by hand, and measures.
// Usage: node load.mjs SERVER PORT WHAT SECONDS CONNECTIONS PID_OF_THE_SERVER; WHAT is echo, poll, push, open or idle.
// Writes JSON to stdout: what was measured, and (but for open and idle) the microseconds of CPU that each cost the server.
// By hand, because a client library of its own would be the slowest part of it.

import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import WebSocket from "ws";
import { polling } from "./polling.mjs";

const [server, port, what, seconds, connections, pid] = process.argv.slice(2);
const TEXT = "x".repeat(32);
const DIALECT_OF = { sente: "sente", socketio: "socketio", "socketio-node": "socketio" };
const BURST = 10; // pushes for each word of ours: the next word waits until all have arrived everywhere

const dialects = {
  /** docs/reference/protocol.md, with an acknowledgement on every request and at every 64th push. */
  sente: (number) => ({
    url: `ws://127.0.0.1:${port}/?v=1&packers=json&client-id=load-${process.pid}-${number}`,
    open(line, text) {
      const packet = JSON.parse(text);
      if (packet.sente) line.socket.send(JSON.stringify({ hello: 1, session: null, n: 1, ack: 0 }));
      return !packet.sente;
    },
    say(line, name, data, ref) {
      line.said = (line.said ?? 0) + 1;
      line.socket.send(JSON.stringify([[`bench/${name}`, data], ref, line.said, line.heard ?? 0, "request"]));
    },
    hear(line, text) {
      const [message, , seq, , status] = JSON.parse(text);
      if (status === "reply") {
        line.heard = seq;
        return { reply: true, pushes: 0 };
      }
      if (status === "ack" || !Array.isArray(message) || !Array.isArray(message[0])) {
        line.socket.send(JSON.stringify([null, null, 0, line.heard ?? 0]));
        return { reply: false, pushes: 0 };
      }
      const before = line.heard ?? 0;
      line.heard = before + message.length;
      if (line.heard >> 6 !== before >> 6) line.socket.send(JSON.stringify([null, null, 0, line.heard]));
      return { reply: false, pushes: message.length };
    },
  }),
  /** Engine.IO 4 and Socket.IO 5: https://socket.io/docs/v4/engine-io-protocol/ */
  socketio: () => ({
    url: `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`,
    open(line, text) {
      if (text.startsWith("0")) line.socket.send("40");
      return text.startsWith("40");
    },
    say: (line, name, data, ref) => line.socket.send(`42${ref}${JSON.stringify([name, data])}`),
    hear(line, text) {
      if (text === "2") line.socket.send("3");
      const reply = text.startsWith("43");
      JSON.parse(text.slice(text.search(/[[{]/)) || "null");
      return { reply, pushes: text.startsWith("42") ? 1 : 0 };
    },
  }),
  /** The servers that keep and acknowledge nothing. */
  bare: () => ({
    url: `ws://127.0.0.1:${port}/`,
    open: undefined,
    say: (line, name, data, ref) => line.socket.send(JSON.stringify([ref, name, data])),
    hear(_, text) {
      const [ref] = JSON.parse(text);
      return { reply: ref !== null, pushes: ref === null ? 1 : 0 };
    },
  }),
};

function connect(number) {
  const dialect = dialects[DIALECT_OF[server] ?? "bare"](number);
  const socket = new WebSocket(dialect.url, { perMessageDeflate: false });
  const line = { socket, dialect, heardAll: () => {} };
  return new Promise((resolve, reject) => {
    let open = false;
    const opened = () => {
      open = true;
      resolve(line);
    };
    socket.on("open", () => dialect.open ?? opened());
    socket.on("error", reject);
    socket.on("close", (code, reason) => {
      if (what !== "idle" && !closing) throw new Error(`${server} closed with ${code} ${reason}`);
    });
    socket.on("message", (data) => {
      if (open) line.heardAll(dialect.hear(line, data.toString()));
      else if (dialect.open(line, data.toString())) opened();
    });
  });
}
let closing = false;

/** Begins to measure; what it returns is told how many there were, and gives [per second, µs of the server's CPU]. */
function started() {
  // 14 and 15 in proc(5): user and system time, in hundredths of a second.
  const cpu = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  };
  const [start, before] = [performance.now(), cpu()];
  return (count) => [count / ((performance.now() - start) / 1000), (cpu() - before) / count];
}

/** Every connection asks, and asks again when it is answered. */
async function echo(lines) {
  let count = 0;
  let measuring = true;
  const done = lines.map(
    (line, number) =>
      new Promise((resolve) => {
        let ref = 0;
        const ask = () => line.dialect.say(line, "echo", TEXT, (ref += 1));
        line.heardAll = ({ reply }) => {
          if (!reply) return;
          count += 1;
          if (measuring) ask();
          else resolve(number);
        };
        ask();
      }),
  );
  await sleep(500); // warm
  const meter = started();
  const before = count;
  await sleep(seconds * 1000);
  const measured = meter(count - before);
  measuring = false;
  await Promise.all(done);
  return measured;
}

/** The same over long-polling. */
async function poll(clients) {
  let count = 0;
  let measuring = true;
  const done = clients.map(async (client) => {
    for (let ref = 1; measuring; ref += 1) {
      await client.ask(TEXT, ref);
      count += 1;
    }
  });
  await sleep(500); // warm
  const meter = started();
  const before = count;
  await sleep(seconds * 1000);
  const measured = meter(count - before);
  measuring = false;
  await Promise.all(done);
  return measured;
}

/** One of them tells the server to speak to all; again when all have heard it. */
async function push(lines) {
  let left = 0;
  let resolve;
  for (const line of lines) {
    line.heardAll = ({ pushes }) => {
      left -= pushes;
      if (left === 0 && pushes) resolve();
    };
  }
  let ref = 0;
  const burst = () => {
    left = BURST * lines.length;
    const heard = new Promise((done) => (resolve = done));
    lines[0].dialect.say(lines[0], "go", BURST, (ref += 1));
    return heard;
  };
  for (let i = 0; i < 5; i += 1) await burst();
  const meter = started();
  const until = performance.now() + seconds * 1000;
  let bursts = 0;
  for (; performance.now() < until; bursts += 1) await burst();
  return meter(bursts * BURST * lines.length);
}

/** Connections that are ready to talk, per second: each after its handshake, 50 at a time. */
async function open() {
  await openLines(100); // warm
  const start = performance.now();
  await openLines(Number(connections));
  return [Number(connections) / ((performance.now() - start) / 1000)];
}

/** Kilobytes that the server grew by, for each connection that then says nothing. */
async function idle() {
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
  await openLines(20); // what the first connections load stays
  await sleep(500);
  const before = resident();
  const lines = await openLines(Number(connections));
  await sleep(1500);
  return [(resident() - before) / lines.length];
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function openLines(count) {
  const lines = [];
  while (lines.length < count) {
    const some = Array.from({ length: Math.min(50, count - lines.length) }, (_, i) => connect(opened + i));
    opened += some.length;
    lines.push(...(await Promise.all(some)));
  }
  return lines;
}
let opened = 0;

const openPolls = () =>
  Promise.all(Array.from({ length: Number(connections) }, (_, number) => polling[server](Number(port), number)));

const measure = {
  echo: async () => echo(await openLines(Number(connections))),
  poll: async () => poll(await openPolls()),
  push: async () => push(await openLines(Number(connections))),
  open,
  idle,
};
const measured = await measure[what]();
closing = true;
console.log(JSON.stringify(measured));
process.exit(0);

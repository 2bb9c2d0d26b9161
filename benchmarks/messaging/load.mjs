// The load: opens connections to one of the servers, speaks its protocol by hand, and measures.
// Usage: node load.mjs PORT PID_OF_THE_SERVER '{"what": "echo", ...}': see `Load` in workloads.py.
// Writes JSON to stdout: [what was measured, µs of the server's CPU for each or null, percent of a core the load took].

import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import WebSocket from "ws";
import { dialects } from "./dialects.mjs";
import { polling } from "./polling.mjs";

const [port, pid] = process.argv.slice(2, 4).map(Number);
const { what, dialect: name, packer, seconds, connections, depth, burst, size, devices, typed } = JSON.parse(
  process.argv[4],
);
const TEXT = typed ? { text: "x".repeat(32) } : "x".repeat(32);
/** What a browser says of itself, about: servers keep it. */
const headers = {
  Origin: `http://127.0.0.1:${port}`,
  "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
  "Accept-Encoding": "gzip, deflate, br, zstd",
  "Accept-Language": "en-US,en;q=0.9",
  "Cache-Control": "no-cache",
  Pragma: "no-cache",
  Cookie: "session=abcdefghijklmnopqrstuvwxyz0123456789",
};
const dialect = dialects[name](port, packer);
let closing = false;

function connect(number) {
  const socket = new WebSocket(dialect.url(number, Math.floor(number / devices)), { perMessageDeflate: false, headers });
  const line = { socket, heardAll: () => {} };
  return new Promise((resolve, reject) => {
    let open = false;
    const opened = () => {
      open = true;
      resolve(line);
    };
    socket.on("open", () => dialect.open ?? opened());
    socket.on("error", reject);
    socket.on("close", (code, reason) => {
      if (!closing) throw new Error(`${name} closed with ${code} ${reason}`);
    });
    socket.on("message", (data) => {
      if (open) line.heardAll(dialect.hear(line, data));
      else if (dialect.open(line, data)) opened();
    });
  });
}

/** µs of CPU that the server took: 14 and 15 in proc(5) are user and system time, in hundredths of a second. */
function cpu() {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Begins to measure; what it returns is told how many there were. */
function started() {
  const [start, before, own] = [performance.now(), cpu(), process.cpuUsage()];
  return (count) => {
    const passed = performance.now() - start;
    const { user, system } = process.cpuUsage(own);
    return [count / (passed / 1000), (cpu() - before) / count, (user + system) / passed / 10];
  };
}

/** Measures how often `count` is called: after a while to warm up, for `seconds`. */
async function rate(counted) {
  await sleep(500);
  const meter = started();
  const before = counted();
  await sleep(seconds * 1000);
  return meter(counted() - before);
}

/** Every connection asks `depth` times at once, and again for each answer. */
async function echo() {
  let count = 0;
  for (const line of await openLines(connections)) {
    let ref = 0;
    const ask = () => dialect.ask(line, TEXT, (ref += 1));
    line.heardAll = ({ reply }) => {
      if (!reply) return;
      count += 1;
      ask();
    };
    for (let i = 0; i < depth; i += 1) ask();
  }
  return rate(() => count);
}

/** Every client without WebSocket asks, and asks again when it is answered. */
async function poll() {
  let count = 0;
  for (const client of await openPolls()) {
    const ask = (ref) => client.ask(TEXT, ref).then(() => ((count += 1), ask(ref + 1)));
    ask(1);
  }
  return rate(() => count);
}

/** One tells the server to speak to all; again when all have heard it. */
async function push() {
  const lines = await openLines(connections);
  return pushed(lines.length, (heard) => {
    for (const line of lines) line.heardAll = ({ pushes }) => heard(pushes);
    return () => dialect.tell(lines[0], "go", [burst, size]);
  });
}

/** The same to clients that poll. */
async function pollPush() {
  const clients = await openPolls();
  return pushed(clients.length, (heard) => {
    for (const client of clients) client.heard = heard;
    return () => clients[0].tell("go", [burst, size]);
  });
}

async function pushed(clients, listen) {
  let left = 0;
  let count = 0;
  const go = listen((pushes) => {
    left -= pushes;
    count += pushes;
    if (left <= 0 && pushes) again();
  });
  const again = () => {
    left = burst * clients;
    go();
  };
  again();
  return rate(() => count);
}

/** One device of every user tells the server to speak to this user; again when all its devices have heard it. */
async function tell() {
  const lines = await openLines(connections);
  let count = 0;
  for (let first = 0; first < lines.length; first += devices) {
    let left = devices * burst;
    for (const line of lines.slice(first, first + devices)) {
      line.heardAll = ({ pushes }) => {
        left -= pushes;
        if (left > 0 || !pushes) return;
        count += burst;
        left = devices * burst;
        dialect.tell(lines[first], "tell", [burst, size]);
      };
    }
    dialect.tell(lines[first], "tell", [burst, size]);
  }
  return rate(() => count);
}

/** Connections that are ready to talk, per second: each after its handshake, 50 at a time. */
async function open() {
  await openLines(100); // warm
  const meter = started();
  await openLines(connections);
  return meter(connections);
}

/** Kilobytes that the server grew by, for each connection that then says nothing. */
async function idle() {
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
  await openLines(20); // what the first connections load stays
  await sleep(500);
  const before = resident();
  await openLines(connections);
  await sleep(1500);
  return [(resident() - before) / connections, null, 0];
}

/** Percent of a core that the server takes while its clients say nothing but that they are there. */
async function rest() {
  await openLines(connections);
  await sleep(2000);
  const meter = started();
  await sleep(seconds * 1000);
  const [, passed, load] = meter(seconds);
  return [passed / 10_000, null, load];
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

const openPolls = () => Promise.all(Array.from({ length: connections }, (_, number) => polling[name](port, number)));

const measured = await { echo, poll, push, pollPush, tell, open, idle, rest }[what]();
closing = true;
console.log(JSON.stringify(measured));
process.exit(0);

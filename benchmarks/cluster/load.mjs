// The load: 50 clients of one process, and one of another that has events pushed to them, each to one of 50 users.
// Usage: node load.mjs sente|socketio PORT_OF_THE_50 PORT_OF_THE_OTHER SECONDS PID...
// Writes JSON to stdout: deliveries per second, microseconds from push to delivery one at a time (median), and the
// microseconds of CPU that each delivery cost each PID.

import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import WebSocket from "ws";

const [server, port, other, seconds, ...pids] = process.argv.slice(2);
const USERS = 50;
const BURST = 500; // deliveries for each word of ours: the next word waits until all have arrived

const dialects = {
  sente: {
    url: (port, user) => `ws://127.0.0.1:${port}/?v=1&packers=json&client-id=load-${user}&user=${user}`,
    open(line, text) {
      const packet = JSON.parse(text);
      if (packet.sente) line.socket.send(JSON.stringify({ hello: 1, session: null, n: 1, ack: 0 }));
      return !packet.sente;
    },
    tell(line, count) {
      line.said = (line.said ?? 0) + 1;
      line.socket.send(JSON.stringify([[["bench/tell", count]], null, line.said]));
    },
    pushes(line, text) {
      const [message, , , , status] = JSON.parse(text);
      if (status || !Array.isArray(message) || !Array.isArray(message[0])) return 0;
      const before = line.heard ?? 0;
      line.heard = before + message.length;
      if (line.heard >> 6 !== before >> 6) line.socket.send(JSON.stringify([null, null, 0, line.heard]));
      return message.length;
    },
  },
  socketio: {
    url: (port, user) => `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket&user=${user}`,
    open(line, text) {
      if (text.startsWith("0")) line.socket.send("40");
      return text.startsWith("40");
    },
    tell: (line, count) => line.socket.send(`42["tell",${count}]`),
    pushes(line, text) {
      if (text === "2") line.socket.send("3");
      return text.startsWith("42") ? 1 : 0;
    },
  },
};
const dialect = dialects[server];

function connect(port, user) {
  const socket = new WebSocket(dialect.url(port, user), { perMessageDeflate: false });
  const line = { socket, heardAll: () => {} };
  return new Promise((resolve, reject) => {
    let open = false;
    socket.on("error", reject);
    socket.on("message", (data) => {
      if (open) line.heardAll(dialect.pushes(line, data.toString()));
      else if (dialect.open(line, data.toString())) {
        open = true;
        resolve(line);
      }
    });
  });
}

const cpu = () =>
  pids.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10_000; // proc(5): hundredths of a second, in user and system
  });

const lines = await Promise.all(Array.from({ length: USERS }, (_, number) => connect(port, `user${number}`)));
const teller = await connect(other, "teller");
let heard = 0;
let arrived = () => {};
let wanted = 0;
for (const line of lines) {
  line.heardAll = (pushes) => {
    heard += pushes;
    if (heard >= wanted) arrived();
  };
}

function push(count) {
  wanted = heard + count;
  return new Promise((resolve) => {
    arrived = resolve;
    dialect.tell(teller, count);
  });
}

await new Promise((resolve) => setTimeout(resolve, 1_500)); // until the processes know of each other
for (let turn = 0; turn < 5; turn += 1) await push(BURST);
const single = [];
for (let turn = 0; turn < 300; turn += 1) {
  const start = performance.now();
  await push(1);
  single.push((performance.now() - start) * 1_000);
}
const [start, before, first] = [performance.now(), cpu(), heard];
while (performance.now() - start < seconds * 1_000) await push(BURST);
const count = heard - first;
const rate = count / ((performance.now() - start) / 1_000);
const cost = cpu().map((after, at) => (after - before[at]) / count);
process.stdout.write(JSON.stringify([rate, single.sort((a, b) => a - b)[150], ...cost]));
process.exit();

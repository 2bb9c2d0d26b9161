// The load of workers.py: 50 clients of one port, that hand events to each other, 8 of each under way.
// Usage: node crowd.mjs PORT SECONDS PID_OF_UVICORN PID_OF_THE_BROKER
// Writes JSON to stdout: deliveries per second, microseconds of CPU per delivery of uvicorn with its workers, and the
// cores that all of it, this load and the broker too, have kept busy.

import { readFileSync, readdirSync } from "node:fs";
import { performance } from "node:perf_hooks";
import WebSocket from "ws";

const [port, seconds, uvicorn, broker] = process.argv.slice(2);
const USERS = 50;
const UNDER_WAY = 8;

function connect(number, heard) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/?v=1&packers=json&client-id=load-${number}&user=user${number}`, {
    perMessageDeflate: false,
  });
  let said = 0;
  let got = 0;
  const say = () => {
    said += 1;
    const to = Math.floor(Math.random() * USERS);
    socket.send(JSON.stringify([[["bench/pass", to]], null, said]));
  };
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    let open = false;
    socket.on("message", (data) => {
      const packet = JSON.parse(data.toString());
      if (packet.sente) return socket.send(JSON.stringify({ hello: 1, session: null, n: 1, ack: 0 }));
      if (!open) {
        open = true; // that was the handshake
        return resolve(say);
      }
      const [message, , , , status] = packet;
      if (status || !Array.isArray(message) || !Array.isArray(message[0])) return;
      const before = got;
      got += message.length;
      if (got >> 6 !== before >> 6) socket.send(JSON.stringify([null, null, 0, got]));
      heard(message.length);
    });
  });
}

const stat = (pid) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
const family = readdirSync("/proc").filter((pid) => {
  try {
    return /^\d+$/.test(pid) && (pid === uvicorn || stat(pid)[1] === uvicorn);
  } catch {
    return false;
  }
});
const cpu = (pids) => pids.reduce((sum, pid) => sum + (Number(stat(pid)[11]) + Number(stat(pid)[12])) * 10_000, 0);

let count = 0;
let turn = 0;
const lines = [];
const heard = (events) => {
  count += events;
  for (let n = 0; n < events; n += 1) lines[(turn += 1) % USERS](); // each that arrives lets another leave
};
lines.push(...(await Promise.all(Array.from({ length: USERS }, (_, number) => connect(number, heard)))));
await new Promise((resolve) => setTimeout(resolve, 2_500)); // until the workers know of each other
for (const say of lines) for (let n = 0; n < UNDER_WAY; n += 1) say();
await new Promise((resolve) => setTimeout(resolve, 1_000));
const all = [...family, broker, String(process.pid)];
const [start, first, workers, everything] = [performance.now(), count, cpu(family), cpu(all)];
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
const passed = (performance.now() - start) / 1_000;
const deliveries = count - first;
const used = (cpu(all) - everything) / (passed * 1_000_000);
process.stdout.write(JSON.stringify([deliveries / passed, (cpu(family) - workers) / deliveries, used]));
process.exit();

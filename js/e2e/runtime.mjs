// What a program does with the client, with nothing but what its runtime has: deno|bun|node runtime.mjs URL TRANSPORT
// [worker]. Prints a line of JSON when all went well. Node 20 has no WebSocket; there the package `ws` stands in.

import { auto, connect, Decimal } from "../dist/index.js";
import { msgpack } from "../dist/packers/msgpack.js";

const [url, transport, inWorker] = process.argv.slice(2);

async function main() {
  const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
  const chsk = connect(url, { transport, WebSocket, packers: [auto({ msgpack })], settings: { backoffBase: 20 } });
  await chsk.ready;
  const pushed = chsk.events("shop/pushed");
  const price = await chsk.request("shop/double", new Decimal("0.10"));
  chsk.send("shop/push-me", new Set(["go"]));
  const first = (await pushed.next()).value;
  const resumed = new Promise((resolve) =>
    chsk.addEventListener("state", ({ detail }) => detail.new.open && resolve(detail.new.resumed)),
  );
  chsk.breakConnection();
  chsk.send("shop/push-me", new Set(["shogi"]), { queue: true });
  const said = { price: String(price), decimal: price instanceof Decimal, transport: chsk.state.transport };
  const again = { resumed: await resumed, pushed: [...first, ...(await pushed.next()).value] };
  await chsk.close();
  console.log(JSON.stringify({ ...said, ...again, lost: chsk.state.lost }));
}

if (inWorker === "worker") {
  const { Worker } = await import("node:worker_threads");
  new Worker(new URL(import.meta.url), { argv: [url, transport] });
} else {
  await main();
}

// A client core to be driven over a pipe: a line of JSON is a step of `test/player.ts`, or begins anew; the answer is what
// the core wants done, its state, and when its timer is due.

import { createInterface } from "node:readline";
import { build } from "esbuild";

const { outputFiles } = await build({
  entryPoints: [`${import.meta.dirname}/../test/player.ts`],
  bundle: true,
  format: "esm",
  platform: "node",
  sourcemap: "inline",
  write: false,
});
const { Player } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);

let player;
for await (const line of createInterface({ input: process.stdin })) {
  const step = JSON.parse(line);
  let done = [];
  if (step.begin) player = new Player(step.begin);
  else done = player.play(step);
  const { core } = player;
  process.stdout.write(`${JSON.stringify({ done, state: core.state, timer: core.nextTimer() })}\n`);
}

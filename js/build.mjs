// Bundles the client: dist/index.js for npm, ../sente/static/client.js for the Python package to serve.
// With --tests it bundles the tests instead, for node:test.
import { readdir, rm } from "node:fs/promises";
import { build } from "esbuild";

process.chdir(import.meta.dirname);

const shared = { bundle: true, format: "esm", target: "es2022", sourcemap: true, logLevel: "warning" };

if (process.argv.includes("--tests")) {
  // A test that was deleted must not run on from its old bundle.
  await rm(".build", { recursive: true, force: true });
  const tests = (await readdir("test")).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...shared,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: ".build",
    platform: "node",
    packages: "external",
  });
} else {
  await rm("dist", { recursive: true, force: true });
  const client = { ...shared, entryPoints: ["src/index.ts"], platform: "neutral" };
  await Promise.all([
    // The client of a Sente server shares the core's insides, which nobody else is to import: they are in a third file.
    build({ ...client, entryPoints: ["src/index.ts", "src/classic.ts"], outdir: "dist", splitting: true, chunkNames: "shared" }),
    // Each packer beside the core shares the core's classes: it imports them from the package's one root.
    build({ ...client, entryPoints: ["cbor", "msgpack", "transit"].map((name) => `src/packers/${name}.ts`), outdir: "dist/packers", external: ["../index.js"] }),
    build({ ...client, entryPoints: ["src/testing.ts"], outdir: "dist" }),
    build({ ...client, entryPoints: ["src/react.ts"], outdir: "dist", external: ["react", "./index.js"] }),
    build({ ...client, outfile: "../sente/static/client.js", minify: true, sourcemap: false }),
  ]);
}

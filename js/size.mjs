// Fails if a file that browsers load has grown beyond its limit, minified and gzipped.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

process.chdir(import.meta.dirname);

// bytes
const LIMITS = {
  "src/index.ts": 17_100,
  "src/packers/cbor.ts": 3_000,
  "src/packers/msgpack.ts": 3_000,
  "src/packers/transit.ts": 2_200,
  "src/classic.ts": 19_100,
  "src/react.ts": 1_000,
};

for (const [entry, limit] of Object.entries(LIMITS)) {
  const options = { bundle: true, format: "esm", target: "es2022", minify: true, external: ["../index.js", "./index.js", "react"] };
  const { outputFiles } = await build({ ...options, entryPoints: [entry], write: false });
  const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  console.log(`${entry}: ${size} bytes of at most ${limit}`);
  if (size > limit) process.exitCode = 1;
}

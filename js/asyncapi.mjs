// Fails if a document on standard input is one that AsyncAPI's own parser does not take.
import { text } from "node:stream/consumers";
import { Parser } from "@asyncapi/parser";

const IGNORED = new Set(["asyncapi-latest-version"]); // 3.0.0 is what tools read today

const { document, diagnostics } = await new Parser().parse(await text(process.stdin));
const flaws = diagnostics.filter(({ code }) => !IGNORED.has(code));
for (const { code, message, path } of flaws) console.error(`${path.join("/")}: ${message} (${code})`);
if (!document || flaws.length) process.exitCode = 1;

// Reads values that Python packed with the libraries others use, and packs them again. stdin and stdout: JSON.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(`${process.cwd()}/package.json`); // the libraries are those of js/
const msgpack = require("@msgpack/msgpack");
const transit = require("transit-js");
const edn = require("edn-data");

const extensionCodec = new msgpack.ExtensionCodec();
for (const type of [1, 2, 3, 4, 5, 7]) {
  const decode = (data) => new msgpack.ExtData(type, data.slice());
  extensionCodec.register({ type, encode: () => null, decode });
}
const anyKey = (key) => key; // objects have string keys only; that is looked at elsewhere
const reader = transit.reader("json-verbose");
const writer = transit.writer("json-verbose");

const { packed, tagged, edns, values } = JSON.parse(await text(process.stdin));
console.log(
  JSON.stringify({
    packed: packed.map((hex) => {
      const value = msgpack.decode(Buffer.from(hex, "hex"), { extensionCodec, mapKeyConverter: anyKey });
      return Buffer.from(msgpack.encode(value, { extensionCodec })).toString("hex");
    }),
    tagged: tagged.map((value) => writer.write(reader.read(value))),
    edns: edns.map((text) => edn.toEDNString(edn.parseEDNString(text))),
    msgpack: values.map((value) => Buffer.from(msgpack.encode(value)).toString("hex")),
    transit: values.map((value) => transit.writer("json-verbose").write(value)),
    edn: values.map((value) => edn.toEDNStringFromSimpleObject(value)),
  }),
);

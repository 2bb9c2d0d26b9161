// Reads values that Python packed with the libraries others use, and packs them again. stdin and stdout: JSON.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(`${process.cwd()}/package.json`); // the libraries are those of js/
const msgpack = require("@msgpack/msgpack");
const cborX = require("cbor-x");
const transit = require("transit-js");
const edn = require("edn-data");

const extensionCodec = new msgpack.ExtensionCodec();
for (const type of [1, 2, 3, 4, 5, 7]) {
  const decode = (data) => new msgpack.ExtData(type, data.slice());
  extensionCodec.register({ type, encode: () => null, decode });
}
const anyKey = (key) => key; // objects have string keys only; that is looked at elsewhere
// cbor-x makes an Error of tag 27 and a float of a decimal number, unless it is told what to make of them.
for (const tag of [4, 27]) {
  class Kept {
    constructor(rep) {
      this.rep = rep;
    }
  }
  cborX.addExtension({ tag, Class: Kept, encode: ({ rep }, encode) => encode(rep), decode: (rep) => new Kept(rep) });
}
const cbor = new cborX.Encoder({ mapsAsObjects: false, useRecords: false });
const reader = transit.reader("json-verbose");
const writer = transit.writer("json-verbose");

const { packed, cborPacked, tagged, edns, values } = JSON.parse(await text(process.stdin));
console.log(
  JSON.stringify({
    packed: packed.map((hex) => {
      const value = msgpack.decode(Buffer.from(hex, "hex"), { extensionCodec, mapKeyConverter: anyKey });
      return Buffer.from(msgpack.encode(value, { extensionCodec })).toString("hex");
    }),
    cborPacked: cborPacked.map((hex) => cbor.encode(cbor.decode(Buffer.from(hex, "hex"))).toString("hex")),
    tagged: tagged.map((value) => writer.write(reader.read(value))),
    cbor: values.map((value) => cborX.encode(value).toString("hex")),
    edns: edns.map((text) => edn.toEDNString(edn.parseEDNString(text))),
    msgpack: values.map((value) => Buffer.from(msgpack.encode(value)).toString("hex")),
    transit: values.map((value) => transit.writer("json-verbose").write(value)),
    edn: values.map((value) => edn.toEDNStringFromSimpleObject(value)),
  }),
);

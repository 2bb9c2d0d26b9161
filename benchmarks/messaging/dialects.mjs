// How the servers are spoken to over WebSocket, by hand: a client library of its own would be the slowest part of it.
//
// Each has a `url(number)`; `open(line, data)`, which hears what comes until the line is ready to talk (none: at once);
// `ask(line, data, ref)`, a request; `tell(line, name, data)`, an event; and `hear(line, data)`: was it a reply, and how
// many pushes were in it?

import { Packr } from "msgpackr";
import { Encoder } from "cbor-x";

const json = { read: (data) => JSON.parse(data.toString()), write: (value) => JSON.stringify(value) };
const msgpackr = new Packr({ useRecords: false });
const msgpack = { read: (data) => msgpackr.unpack(data), write: (value) => msgpackr.pack(value) };
const cborx = new Encoder({ useRecords: false });
const cbor = { read: (data) => cborx.decode(data), write: (value) => cborx.encode(value) };
/** What is said here has no map, no key and no tag, and no space: so JSON is edn but for null, and edn is nearly JSON. */
const edn = {
  read: (data) => JSON.parse(data.toString().replaceAll(" ", ",").replaceAll("nil", "null")),
  write: (value) => JSON.stringify(value).replaceAll("null", "nil"),
};
/** By packer. Without maps and tags Transit is the format it is written in. */
const CODECS = { json, auto: json, transit: json, "transit-json": json, edn, msgpack, "transit-msgpack": msgpack, cbor };

/** docs/reference/protocol.md, with an acknowledgement on every request and at every 64th push. */
const sente = (port, packer) => {
  const { read, write } = CODECS[packer];
  return {
    url: (number, uid) =>
      `ws://127.0.0.1:${port}/?v=1&packers=${packer}&client-id=load-${process.pid}-${number}&uid=${uid}`,
    open(line) {
      if (line.greeted) return true;
      line.greeted = true;
      line.said = 0;
      line.heard = 0;
      line.socket.send(JSON.stringify({ hello: 1, session: null, n: 1, ack: 0 }));
      return false;
    },
    ask: (line, data, ref) => line.socket.send(write([["bench/echo", data], ref, (line.said += 1), line.heard, "request"])),
    tell: (line, name, data) => line.socket.send(write([[[`bench/${name}`, data]], null, (line.said += 1)])),
    hear(line, data) {
      const [message, , seq, , status] = read(data);
      if (status === "reply") {
        line.heard = seq;
        return { reply: true, pushes: 0 };
      }
      if (status === "error") throw new Error(`${status}: ${JSON.stringify(message)}`);
      if (!Array.isArray(message)) {
        line.socket.send(write([null, null, 0, line.heard]));
        return { reply: false, pushes: 0 };
      }
      const before = line.heard;
      line.heard = before + message.length;
      if (line.heard >> 6 !== before >> 6) line.socket.send(write([null, null, 0, line.heard]));
      return { reply: false, pushes: message.length };
    },
  };
};

/** Engine.IO 4 and Socket.IO 5: https://socket.io/docs/v4/engine-io-protocol/ */
const socketio = (port) => ({
  url: (_, uid) => `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket&uid=${uid}`,
  open(line, data) {
    const text = data.toString();
    if (text.startsWith("0")) line.socket.send("40");
    return text.startsWith("40");
  },
  ask: (line, data, ref) => line.socket.send(`42${ref}${JSON.stringify(["echo", data])}`),
  tell: (line, name, data) => line.socket.send(`42${JSON.stringify([name, data])}`),
  hear(line, data) {
    const text = data.toString();
    if (text === "2") line.socket.send("3");
    const reply = text.startsWith("43");
    JSON.parse(text.slice(text.search(/[[{]/)) || "null");
    return { reply, pushes: text.startsWith("42") ? 1 : 0 };
  },
});

/** The same, with each packet in MessagePack. */
const socketioMsgpack = (port) => ({
  url: socketio(port).url,
  open(line, data) {
    if (data[0] === 0x30) line.socket.send(msgpack.write({ type: 0, nsp: "/" })); // "0"
    return data[0] !== 0x30;
  },
  ask: (line, data, ref) => line.socket.send(msgpack.write({ type: 2, data: ["echo", data], nsp: "/", id: ref })),
  tell: (line, name, data) => line.socket.send(msgpack.write({ type: 2, data: [name, data], nsp: "/" })),
  hear(line, data) {
    if (data.length === 1) line.socket.send("3");
    const { type } = data.length === 1 ? {} : msgpack.read(data);
    return { reply: type === 3, pushes: type === 2 ? 1 : 0 };
  },
});

/** The servers that keep and acknowledge nothing. */
const bare = (port) => ({
  url: (_, uid) => `ws://127.0.0.1:${port}/?uid=${uid}`,
  open: undefined,
  ask: (line, data, ref) => line.socket.send(JSON.stringify([ref, "echo", data])),
  tell: (line, name, data) => line.socket.send(JSON.stringify([null, name, data])),
  hear(_, data) {
    const [ref] = JSON.parse(data.toString());
    return { reply: ref !== null, pushes: ref === null ? 1 : 0 };
  },
});

export const dialects = { sente, socketio, "socketio-msgpack": socketioMsgpack, bare };

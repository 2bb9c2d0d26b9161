// A client for tests in other languages: node node_client.mjs URL TRANSPORT [SETTINGS]
//
// Commands come as JSON lines on stdin, what happens goes as JSON lines to stdout:
//   {"cmd": "send", "id", "data"}                 {"sent": true}
//   {"cmd": "request", "id", "data", "timeout"?}  {"reply", "n"} or {"failed": "RequestTimeout", "code"?, "message", "n"},
//                                                 n counting the requests from 1
//   {"cmd": "prefer", "transport"}                {"event": [id, data]}
//   {"cmd": "reconnect"}                          {"state": {...}}
//   {"cmd": "disconnect"}                         {"unconfirmed": [[id, data], ...]}
//   {"cmd": "breakConnection", "clean"}
//   {"cmd": "reauthenticate", "auth"?}            {"good_for": milliseconds or null, "n"}, or {"failed", ..., "n"}
// SETTINGS is a JSON object of further options of `connect`: {"settings": {"ping": 500}, "csrf": "..."}; "origin",
// what a browser would say of the page; "tokens", which the option `auth` says one after the other, the last for ever;
// "badConnectionRate"; and "classic": true for a client of a Sente server.
// It ends when stdin does.

import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { connectClassic } from "../dist/classic.js";
import { connect } from "../dist/index.js";
import { badConnection } from "../dist/testing.js";

const [url, transport, settings = "{}"] = process.argv.slice(2);
const { origin, tokens, headers: more, classic = false, badConnectionRate = 0, ...options } = JSON.parse(settings);
const headers = { ...more, ...(origin ? { origin } : {}) };
if (tokens) options.auth = () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

class Socket extends WebSocket {
  constructor(url) {
    super(url, { headers });
  }
}

const line = badConnection(badConnectionRate, { WebSocket: Socket });
const chsk = (classic ? connectClassic : connect)(url, { transport, ...line, headers, ...options });
chsk.addEventListener("state", ({ detail }) => say({ state: detail.new }));
chsk.addEventListener("unconfirmed", ({ detail }) => say({ unconfirmed: detail.map(({ id, data }) => [id, data]) }));
chsk.on("*", (data, id) => say({ event: [id, data] }));

let requests = 0;

async function outcome(word, promise) {
  const n = ++requests;
  try {
    say({ [word]: await promise, n });
  } catch ({ name, code, message }) {
    say({ failed: name, code, message, n });
  }
}

const commands = {
  send: ({ id, data }) => say({ sent: chsk.send(id, data) }),
  request: ({ id, data, timeout }) => outcome("reply", chsk.request(id, data, timeout === undefined ? {} : { timeout })),
  reauthenticate: ({ auth }) => outcome("good_for", chsk.reauthenticate(auth)),
  prefer: ({ transport }) => chsk.prefer(transport),
  reconnect: () => chsk.reconnect(),
  disconnect: () => chsk.disconnect(),
  breakConnection: ({ clean }) => chsk.breakConnection({ clean }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  void commands[command.cmd](command);
}
process.exit();

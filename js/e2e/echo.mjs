// Sends back what it is sent, whatever it is: node echo.mjs URL TRANSPORT PACKERS. It ends when stdin does.

import { WebSocket } from "ws";
import { auto, connect, json } from "../dist/index.js";
import { cbor } from "../dist/packers/cbor.js";
import { msgpack } from "../dist/packers/msgpack.js";
import { transit, transitJson } from "../dist/packers/transit.js";

const known = { auto: auto(), "auto+msgpack": auto({ msgpack }), msgpack, cbor, json, transit, "transit-json": transitJson };
const [url, transport, packers] = process.argv.slice(2);

const chsk = connect(url, { transport, WebSocket, packers: packers.split(",").map((name) => known[name]) });
chsk.on("echo/there", (data) => chsk.send("echo/back", data));
await chsk.ready;
process.stdin.on("end", () => process.exit()).resume();

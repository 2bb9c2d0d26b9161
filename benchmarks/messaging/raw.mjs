// The same server in Node: `node raw.mjs ws --port 8000`, `node raw.mjs socketio-node --port 8000`.

import { createServer } from "node:http";
import { Server } from "socket.io";
import { WebSocketServer } from "ws";

const [which, , port] = process.argv.slice(2);

/** [ref, name, data], as the bare servers of apps.py. */
function ws() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false });
  server.on("connection", (socket) => {
    socket.on("message", (bytes) => {
      const [ref, name, data] = JSON.parse(bytes.toString());
      if (name === "echo") return socket.send(JSON.stringify([ref, data]));
      const [times, size] = data;
      for (let i = 0; i < times; i += 1) {
        const said = JSON.stringify([null, "x".repeat(size)]);
        for (const one of server.clients) one.send(said);
      }
    });
  });
}

/** Socket.IO as its manual shows it. */
function socketio() {
  const server = createServer();
  const io = new Server(server, { perMessageDeflate: false, cors: { origin: "*" } });
  io.on("connection", (socket) => {
    socket.on("echo", (data, reply) => reply(data));
    socket.on("go", ([times, size]) => {
      for (let i = 0; i < times; i += 1) {
        io.emit("said", "x".repeat(size));
      }
    });
  });
  server.listen(Number(port), "127.0.0.1");
}

({ ws, "socketio-node": socketio })[which]();

// HTTP/1.1 by hand over one kept connection: Node's own client would be the slowest part of the load.

import { connect } from "node:net";

/** One connection, one exchange at a time. */
export class Exchanges {
  #socket;
  #answered;
  #refused;
  #heard = Buffer.alloc(0);

  constructor(port) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (bytes) => this.#hear(bytes));
    this.#socket.on("error", (error) => this.#refused?.(error));
    this.#socket.on("close", () => this.#refused?.(new Error("the server closed the connection")));
  }

  /** The body of the answer. */
  ask(method, path, body = Buffer.alloc(0), headers = "") {
    const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n${headers}\r\n`;
    this.#socket.write(body.length ? Buffer.concat([Buffer.from(head), body]) : head);
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#refused = reject;
    });
  }

  #hear(bytes) {
    this.#heard = this.#heard.length ? Buffer.concat([this.#heard, bytes]) : bytes;
    const end = this.#heard.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.#heard.toString("latin1", 0, end);
    const body = bodyOf(head, this.#heard.subarray(end + 4));
    if (body === undefined) return;
    this.#heard = Buffer.alloc(0);
    if (head.startsWith("HTTP/1.1 200")) this.#answered(body);
    else this.#refused(new Error(`${head.split("\r\n")[0]}: ${body}`));
  }
}

/** The body, as soon as it is whole. */
function bodyOf(head, bytes) {
  if (!/transfer-encoding: *chunked/i.test(head)) {
    const length = Number(/content-length: *(\d+)/i.exec(head)[1]);
    return bytes.length < length ? undefined : bytes;
  }
  const chunks = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const length = Number.parseInt(bytes.toString("latin1", at, line), 16);
    if (bytes.length < line + 2 + length + 2) return undefined;
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(line + 2, line + 2 + length));
    at = line + 2 + length + 2;
  }
}

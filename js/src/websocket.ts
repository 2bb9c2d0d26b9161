import type { Wire } from "./packers/packer.js";

/** What is used of a WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  addEventListener(type: string, listener: (event: any) => void): void;
  /** Bytes that wait, where that is known. */
  readonly bufferedAmount?: number;
  send(data: any): void;
  close(code?: number, reason?: string): void;
  /** Where there is such a thing: read no more, and read on. */
  pause?(): void;
  resume?(): void;
  /** Cuts the line; a browser's has no such thing. */
  terminate?(): void;
}

export type WebSocketClass = new (url: string) => WebSocketLike;

/** Who is told what comes on a WebSocket. */
export interface WebSocketEvents {
  first(wire: Wire): void;
  frame(wire: Wire): void;
  lost(code: number, reason: string): void;
}

/** A WebSocket as a link: the server speaks first. */
export class WebSocketLink {
  /** Resolves when nothing is left of it. */
  readonly closed: Promise<void>;

  constructor(
    readonly socket: WebSocketLike,
    events: WebSocketEvents,
  ) {
    let hear = (wire: Wire): void => {
      hear = events.frame;
      events.first(wire);
    };
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }: { data: string | ArrayBuffer }) =>
      hear(typeof data === "string" ? data : new Uint8Array(data)),
    );
    this.closed = new Promise((resolve) =>
      socket.addEventListener("close", ({ code, reason }: CloseEvent) => {
        resolve();
        events.lost(code, reason);
      }),
    );
    socket.addEventListener("error", () => {}); // a close follows and says all there is to say
  }

  /** Whether the other side does not read what was sent. */
  get behind(): boolean {
    return (this.socket.bufferedAmount ?? 0) > 65_536;
  }

  send(wire: Wire): void {
    this.socket.send(wire);
  }

  close(code: number, reason: string): void {
    if (code === 1006) this.socket.terminate?.();
    // a client may close with 1000 and 3000-4999 only
    this.socket.close(code === 1000 || code >= 3000 ? code : 4000, cut(reason));
  }
}

/** What fits into a close frame: 123 bytes. */
function cut(reason: string): string {
  // with `stream`, a character that is cut in two is left out
  return new TextDecoder().decode(new TextEncoder().encode(reason).subarray(0, 123), { stream: true });
}

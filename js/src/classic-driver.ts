import type { Link } from "./core/actions.js";
import { ClassicSession } from "./core/classic-client.js";
import { readClassic } from "./core/classic.js";
import { changed } from "./core/client-state.js";
import type { Packet } from "./core/messages.js";
import { Driver, KEEPALIVE_LIMIT, unpack, type News, type Of } from "./driver.js";
import { protocolReason } from "./errors.js";
import { ask, type Options } from "./options.js";
import { sizeOf, type Wire } from "./packers/packer.js";
import { WebSocketLink, type WebSocketLike } from "./websocket.js";

/** Writes and reads what Sente does, where a Sente server looks for it, with the one packer that both sides were told. */
export class ClassicDriver extends Driver {
  declare readonly core: ClassicSession;

  constructor(url: string, options: Options, tell: (news: News) => void) {
    super(url, options, tell, ClassicSession);
    this.core.state = changed(this.core.state, { packer: this.packer.name });
  }

  /** Give the core an input and carry out what comes of it; read on if the application has room. */
  override do(input: (core: ClassicSession, now: number) => void): void {
    for (const socket of this.#sockets) socket.resume?.(); // one that is not read could not be closed
    super.do((_, now) => input(this.core, now));
    if (this.core.full && this.core.state.open) for (const socket of this.#sockets) socket.pause?.();
  }

  protected override open(link: Link): void {
    this.http(link, async () => {
      const token = await this.#askAnew();
      await this.locate();
      const url = this.address({});
      if (token != null) url.searchParams.set("csrf-token", token);
      return () => this.connect(link, url);
    });
  }

  protected override welcome(link: Link): void {
    this.http(link, async (signal) => {
      const token = await this.#askAnew();
      await this.locate();
      if (token != null) this.headers = { ...this.headers, "X-CSRF-Token": token };
      const wire = await this.#answer({ "handshake?": "1" }, { signal });
      return (now) => this.first(link, wire, now);
    });
  }

  protected override first(link: Link, wire: Wire, now: number): void {
    let plain: unknown;
    try {
      plain = unpack(this.packer, wire);
    } catch (error) {
      return this.core.broken(link, protocolReason(error), now);
    }
    this.core.firstFrame(link, plain, now);
  }

  protected override exchange({ link, packets }: Of<"exchange">): void {
    const leaving = !this.core.state.open;
    this.http(link, async (signal) => {
      const [wire] = this.pack(packets);
      const answered = wire === undefined ? this.#answer({}, { signal }) : this.#post(wire, { signal }, leaving);
      const read = this.read(await answered);
      return (now) => this.core.exchanged(link, null, [read], now);
    });
  }

  protected override pack(packets: readonly Packet[]): Wire[] {
    return packets.map((packet) => {
      if (packet.type !== "classic") throw new TypeError(`no ${packet.type} is said to a Sente server`);
      return this.packer.pack([packet.message, packet.ref]);
    });
  }

  protected override read(wire: Wire): [Packet, number] {
    return [readClassic(unpack(this.packer, wire)), wire.length];
  }

  get #sockets(): WebSocketLike[] {
    return [...this.links.values()].flatMap((link) => (link instanceof WebSocketLink ? [link.socket] : []));
  }

  // What an attempt to connect is made with; the polls and POSTs that follow from it, too.
  async #askAnew(): Promise<string | null | undefined> {
    this.headers = (await ask(this.options.headers)) ?? {};
    return ask(this.options.csrf);
  }

  #post(wire: Wire, init: RequestInit, leaving: boolean): Promise<Wire> {
    const [query, body, type] = this.#form(wire);
    const headers = { ...this.headers, "Content-Type": type };
    const keepalive = leaving && sizeOf(body) < KEEPALIVE_LIMIT;
    return this.#answer(query, { ...init, method: "POST", headers, body, keepalive });
  }

  #form(wire: Wire): [Record<string, string>, string | Uint8Array<ArrayBuffer>, string] {
    if (typeof wire !== "string") return [{ "binary?": "true" }, new Uint8Array(wire), "application/octet-stream"];
    const form = new URLSearchParams({ "client-id": this.core.state.clientId, ppstr: wire });
    return [{}, String(form), "application/x-www-form-urlencoded;charset=UTF-8"];
  }

  // The body of the answer, of the kind that the packer writes: HTTP does not say which it is.
  async #answer(query: Record<string, string>, init: RequestInit): Promise<Wire> {
    const response = await this.fetch(this.address({ ...query, udt: String(Date.now()) }), init);
    if (typeof this.packer.pack(null) === "string") return response.text();
    return new Uint8Array(await response.arrayBuffer());
  }
}

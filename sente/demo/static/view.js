// What the page looks like. It knows nothing of connections, and sets text only: nothing that people write is HTML.

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/** A new element. Children are nodes, or text. */
function make(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

/** Make `node` the stone of a person: an initial, and a colour of its own. */
export function paintStone(node, name) {
  const hue = [...name].reduce((sum, character) => (sum * 31 + character.codePointAt(0)) % 360, 7);
  node.className = "stone";
  node.textContent = [...name][0].toUpperCase();
  node.style.setProperty("--hue", hue);
  node.setAttribute("aria-hidden", "true");
  return node;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const GROUP = 5 * 60_000; // what one person says within so many milliseconds stands together
const KEPT = 200; // entries

/** Messages and notices, the newest last. What is not yet sent stands below all else. */
export class Conversation {
  #list = $("messages");
  #scroller = $("scroller");
  #newer = $("newer");
  #messages = new Map(); // by key
  #me = null;
  #retry;

  /** `retry` is called with the key and the text of a message that failed. */
  constructor(retry) {
    this.#retry = retry;
    this.#newer.addEventListener("click", () => this.#toEnd());
    this.#scroller.addEventListener("scroll", () => {
      if (this.#atEnd) this.#newer.hidden = true;
    });
    new ResizeObserver(() => this.#toEnd()).observe(this.#scroller); // a phone's keyboard came or went
  }

  /** Who looks at the page: their messages stand on the other side. */
  set me(uid) {
    this.#me = uid;
    for (const message of this.#messages.values()) this.#draw(message);
    this.#tidy();
  }

  /** Forget all that was sent, and show these messages instead. */
  reset(messages) {
    for (const { id, key, node } of [...this.#messages.values()]) {
      if (id) {
        node.remove();
        this.#messages.delete(key);
      }
    }
    for (const message of messages) this.add(message);
    this.#toEnd();
  }

  /** Show a message, or what became of it, if it is shown already. `news`: it is worth an animation. */
  add(message, { news = false, missed = false } = {}) {
    const atEnd = this.#atEnd;
    const known = this.#messages.get(message.key);
    const shown = { node: known?.node ?? make("li", "message"), ...message };
    this.#messages.set(message.key, shown);
    shown.node.classList.toggle("new", news && !known);
    shown.node.classList.toggle("missed", missed);
    this.#draw(shown);
    // What was sent stands in the order in which the server took it. It may be there already.
    if (!known?.id) this.#list.insertBefore(shown.node, shown.id ? this.#unsent : null);
    this.#tidy();
    if (atEnd || message.by === this.#me) this.#toEnd();
    else this.#newer.hidden = false;
  }

  /** Show a message of one's own that is on its way. */
  sending(key, text) {
    this.add({ key, text, by: this.#me, at: Date.now(), status: "sending" }, { news: !this.#messages.has(key) });
  }

  /** Say that a message is sent once the line is back. */
  waiting(key) {
    const message = this.#messages.get(key);
    if (message && !message.id) this.add({ ...message, status: "waiting" });
  }

  /** Say that a message did not get through, unless it did. */
  failed(key, reason) {
    const message = this.#messages.get(key);
    if (message && !message.id) this.add({ ...message, status: "failed", reason });
  }

  /** Show a line between the messages; returns how to remove it. */
  notice(text, tone = "") {
    const atEnd = this.#atEnd;
    const node = make("li", `notice ${tone}`, text);
    this.#list.insertBefore(node, this.#unsent);
    this.#tidy();
    if (atEnd) this.#toEnd();
    return () => {
      node.remove();
      this.#tidy();
    };
  }

  // -- inside

  get #unsent() {
    return this.#list.querySelector("[data-status]");
  }

  get #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#newer.hidden = true;
  }

  #draw(message) {
    const { node, key, by, text, at, id, reason } = message;
    const mine = by === this.#me;
    const status = id ? (mine ? "sent" : "") : message.status;
    const meta = make("p", "meta", clock.format(at));
    if (status === "sending") meta.replaceChildren("sending …");
    if (status === "waiting") meta.replaceChildren("waits for the line");
    if (status === "sent") meta.append(" · sent ✓");
    if (status === "failed") {
      const retry = make("button", "retry", "Retry");
      retry.type = "button";
      retry.addEventListener("click", () => this.#retry(key, text));
      meta.replaceChildren(`Not sent: ${reason}.`, retry);
    }
    node.classList.toggle("mine", mine);
    node.dataset.by = by;
    node.dataset.at = at;
    if (id) delete node.dataset.status;
    else node.dataset.status = status;
    const body = make("div", "body", make("p", "by", by), make("div", "bubble", text), meta);
    node.replaceChildren(paintStone(make("span", ""), by), body);
  }

  // Forget what is old, and let what one person says in a row stand together.
  #tidy() {
    while (this.#list.children.length > KEPT) {
      const [oldest] = this.#list.children;
      for (const [key, { node }] of this.#messages) if (node === oldest) this.#messages.delete(key);
      oldest.remove();
    }
    const nodes = [...this.#list.children];
    const together = (a, b) => a && b && a.dataset.by && a.dataset.by === b.dataset.by && b.dataset.at - a.dataset.at < GROUP;
    nodes.forEach((node, index) => {
      node.classList.toggle("first", !together(nodes[index - 1], node));
      node.classList.toggle("last", !together(node, nodes[index + 1]));
    });
    $("welcome").hidden = nodes.length > 0;
  }
}

/** Show who is there, and over what. */
export function showPeople(people, me) {
  $("people").replaceChildren(
    ...people.map(({ uid, ws, poll }) => {
      const who = make("span", "who", uid, ...(uid === me ? [make("span", "you", " (you)")] : []));
      const badges = [ws && "WebSocket", poll && "polling"].filter(Boolean).map((word) => make("span", "badge", word));
      return make("li", "person", paintStone(make("span", ""), uid), who, ...badges);
    }),
  );
  $("people-count").textContent = people.length;
  $("nobody").hidden = people.length > 0;
}

/** Show who types. */
export function showTyping(names) {
  const [a, b] = names;
  $("typing").textContent =
    ["", `${a} is typing`, `${a} and ${b} are typing`][names.length] ?? "Several people are typing";
}

/** Show who looks at the page: the form that fits, and the name. */
export function showMe(uid) {
  $("login").hidden = uid !== null;
  $("composer").hidden = $("account").hidden = uid === null;
  if (uid !== null) {
    $("account-name").textContent = uid;
    paintStone($("account-stone"), uid);
  }
}

const NAMES = { ws: "WebSocket", poll: "long-polling" };

/** Show the state of the line. `wanted` is what the switch says. */
export function showLine(state, wanted) {
  const { open, everOpened, refused, nextReconnect, transport } = state;
  const line = open ? "open" : refused ? "refused" : everOpened ? "down" : "connecting";
  const name = NAMES[transport] ?? "";
  let [chip, status, detail] = ["Connecting", "Connecting", name && `over ${name}`];
  if (open) {
    chip = transport === "ws" ? "WebSocket" : "Polling";
    status = `Connected over ${name}`;
    detail = transport === "ws" ? "One line, open both ways." : "One request waits for news.";
    if (transport === "poll" && wanted === "auto") detail = "WebSocket did not get through.";
  } else if (refused) {
    chip = status = "Refused";
    detail = `The server says: ${refused.message || `no (${refused.code})`}.`;
  } else if (everOpened) {
    chip = "Offline";
    status = "The line is down";
    const seconds = Math.max(0, nextReconnect - Date.now()) / 1000;
    detail = nextReconnect ? `Next attempt in ${seconds.toFixed(1)} s` : `Trying ${name}`;
  }
  Object.assign(document.body.dataset, { line, transport });
  setText("chip-text", chip);
  setText("status", status);
  setText("detail", detail);
  $("again").hidden = !refused;
  $("cut").disabled = !open;
}

/** Set a text, if it is another one: what is read aloud is not repeated. */
export function setText(id, text) {
  if ($(id).textContent !== String(text)) $(id).textContent = text;
}

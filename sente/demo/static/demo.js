// What the page does: events in, events out, and what to say about the line.

import { connect } from "/chsk/client.js";
import { $, Conversation, setText, showLine, showMe, showPeople, showTyping } from "./view.js";

const csrf = async () => (await fetch("/csrf", { cache: "no-store" })).json();
const settings = { backoffCap: 1000 }; // whoever looks at a demo is not patient
const chsk = connect("/chsk", { csrf, settings });
const conversation = new Conversation(say);
const tabs = new BroadcastChannel("sente-demo"); // this browser's other tabs

let me = null;
let people = [];
let newest = 0; // the last message that this page has seen
let down = null; // while the line is down: { since, asked, forget() }
let catchingUp = null; // after that, until all that was missed has arrived: { until, count, done(), forget() }
let wanted = "auto"; // transport
const waiting = new Map(); // what was said while the line is down: key -> text
let sessionChanges = false; // somebody logs in or out: no surprise if the server knows us as another
const count = { events: 0, resumed: 0, lost: 0 };

// -- events in

chsk.on("chat/said", (message) => {
  const missed = catchingUp !== null && message.id <= catchingUp.until && message.by !== me;
  if (missed) catchingUp.count += 1;
  newest = message.id;
  conversation.add(message, { news: true, missed });
  stopsTyping(message.by);
  if (catchingUp && newest >= catchingUp.until) catchingUp.done();
});

chsk.on("chat/typing", ({ by }) => {
  if (by === me) return;
  clearTimeout(typists.get(by));
  typists.set(by, setTimeout(() => stopsTyping(by), 4000));
  showTyping([...typists.keys()]);
});

chsk.on("lobby/online", (online) => showPeople((people = online), me));

chsk.on("*", () => setText("fact-events", (count.events += 1)));

const typists = new Map(); // name -> timer

function stopsTyping(name) {
  clearTimeout(typists.get(name));
  typists.delete(name);
  showTyping([...typists.keys()]);
}

// -- the line

chsk.addEventListener("state", ({ detail: { old, new: state } }) => {
  showLine(state, wanted);
  if (old.open && !state.open) lineLost(state);
  if (state.open && !old.open) lineOpened(state);
});

setInterval(() => chsk.state.nextReconnect && showLine(chsk.state, wanted), 100); // the countdown

function lineLost({ lastClose: { reason } }) {
  for (const name of [...typists.keys()]) stopsTyping(name);
  catchingUp?.forget();
  catchingUp = null;
  const asked = reason === "requested-reconnect";
  const forget = asked ? () => {} : conversation.notice("The line is down. What you miss is kept for you.", "warn");
  down = { since: performance.now(), asked, forget };
}

function lineOpened({ firstOpen, lost, resumed, uid, handshakeData, transport }) {
  const { messages, online } = handshakeData;
  if (uid !== me || firstOpen) {
    if (uid === null && me !== null && !sessionChanges) conversation.notice("The server has forgotten you: join again.", "warn");
    sessionChanges = false;
    conversation.me = me = uid;
    showMe(me);
    if (matchMedia("(pointer: fine)").matches) $(me === null ? "login-name" : "text").focus();
  }
  // After an interruption, what was missed simply arrives. Only if some of it could not be kept, begin anew.
  if (firstOpen || lost !== 0) {
    conversation.reset(messages);
    people = online;
  }
  showPeople(people, me);

  if (resumed) count.resumed += 1;
  count.lost = lost === null || count.lost === null ? null : count.lost + lost;
  setText("fact-session", count.resumed ? `resumed ${count.resumed}×` : "new");
  setText("fact-lost", count.lost ?? "not known");

  const until = messages.at(-1)?.id ?? 0;
  if (down && !firstOpen) welcomeBack({ ...down, transport, resumed, lost, until });
  if (!resumed) newest = until;
  down = null;
  sayWhatWaits();
}

// Tell how the interruption ended, once all that was missed is there.
function welcomeBack({ since, asked, forget, transport, resumed, lost, until }) {
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  const done = () => {
    const { count } = catchingUp;
    catchingUp = null;
    forget();
    if (asked) {
      if (resumed) conversation.notice(`Now over ${transport === "ws" ? "WebSocket" : "long-polling"}, in the same session.`);
    } else if (lost === 0) {
      const caughtUp = count ? `${count} message${count > 1 ? "s" : ""} caught up, nothing lost.` : "Nothing was missed.";
      conversation.notice(`Back after ${seconds} s. ${caughtUp}`, "good");
    } else {
      const what = lost === null ? "Nobody knows what was missed" : `${lost} ${lost > 1 ? "events were" : "event was"} missed`;
      conversation.notice(`Back after ${seconds} s. ${what}, so all was fetched anew.`, "warn");
    }
  };
  catchingUp = { until, count: 0, done, forget };
  if (!resumed || newest >= until) done();
}

addEventListener("pagehide", () => chsk.disconnect()); // who closes the page is gone at once
addEventListener("pageshow", ({ persisted }) => persisted && chsk.reconnect()); // and comes back by the back button

// -- events out

async function say(key, text) {
  conversation.sending(key, text);
  try {
    conversation.add(await chsk.request("chat/say", { key, text })); // with its id: it is sent
  } catch (error) {
    if (error.name !== "Disconnected") return conversation.failed(key, error.message);
    conversation.waiting(key);
    waiting.set(key, text);
    if (chsk.state.open) sayWhatWaits(); // a new session has begun already
  }
}

// The key lets a second try do no harm, if the first did arrive.
function sayWhatWaits() {
  const texts = [...waiting];
  waiting.clear();
  for (const [key, text] of texts) say(key, text);
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  typedAt = -Infinity;
  say(newKey(), text);
});

$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});

let typedAt = -Infinity;

$("text").addEventListener("input", () => {
  if (performance.now() - typedAt < 2000) return;
  typedAt = performance.now();
  chsk.send("chat/typing");
});

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36)).join("");
}

// -- over plain HTTP

async function post(path, body = {}) {
  const headers = { "content-type": "application/json", "x-csrf-token": await csrf() };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error((await response.json()).detail);
}

// The session's cookie has changed. A line keeps the one it was opened with, so open a new one.
function sessionChanged() {
  sessionChanges = true;
  chsk.reconnect();
}

tabs.addEventListener("message", sessionChanged);

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("login-error").textContent = "";
  try {
    await post("/login", { name: $("login-name").value });
    sessionChanged();
    tabs.postMessage("logged in");
  } catch (error) {
    $("login-error").textContent = error.message;
  }
});

$("logout").addEventListener("click", async () => {
  await post("/logout");
  sessionChanged();
  tabs.postMessage("logged out");
});

$("cut").addEventListener("click", () => post("/cut", { client_id: chsk.state.clientId }));
$("again").addEventListener("click", () => chsk.reconnect());

for (const input of document.querySelectorAll("input[name=transport]")) {
  input.addEventListener("change", () => chsk.prefer((wanted = input.value)));
}

// -- on a phone the panel opens from the bar

const panel = $("panel");
const narrow = matchMedia("(max-width: 820px)");

function showPanel(shown) {
  panel.classList.toggle("shown", shown);
  $("chip").setAttribute("aria-expanded", shown);
  document.querySelector("main").inert = shown;
}

$("chip").addEventListener("click", () => showPanel(!panel.classList.contains("shown")));
narrow.addEventListener("change", () => showPanel(false));
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && panel.classList.contains("shown")) {
    showPanel(false);
    $("chip").focus();
  }
});

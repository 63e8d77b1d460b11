/* Keeps one fragment of the page up to date: pushed over a socket, polled while the socket is away.

   <section data-live="standings" data-socket="/ws/..." data-poll="/boards/.../standings/"> holds the fragment, whose
   root has that id, `data-version`, and `data-query` (the view that it shows). The fragment that comes is drawn by the
   server; nothing is computed here. */
import { patch } from "./patch.js";

const POLL_MS = 3000;
const LONGEST_WAIT_MS = 15000;
const CROWDED_WAIT_MS = 60000;
const GONE = 4404;
const CROWDED = 4429;
const WORDS = {
  live: "Live",
  reconnecting: "Reconnecting…",
  polling: "Polling every 3 s",
  ended: "Not live: sign in again",
  crowded: "Polling every 3 s: too many live pages are open",
  gone: "Not live: not open to you any more",
};

/* A push is compressed once for everybody who looks; a browser that cannot unpack it gets it as text. */
const UNPACKS = "DecompressionStream" in window;
const unpacked = (data) => typeof data === "string"
  ? data
  : new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"))).text();

/* Somebody is in the table: with the pointer, with the keyboard, or scrolled down in it; or about to ask for what is held. */
const reads = (fragment, later) =>
  fragment.querySelector("table:hover") !== null
  || later.matches(":hover, :focus-within")
  || fragment.querySelector("table")?.contains(document.activeElement)
  || (fragment.querySelector(".board-box")?.scrollTop ?? 0) > 0;

const rowsOf = (fragment) => [...fragment.querySelectorAll("tbody tr[data-key]")];
const moves = (now, next) =>
  rowsOf(now).map((row) => row.dataset.key).join() !== rowsOf(next).map((row) => row.dataset.key).join();

/* How many scores of the next drawing are not on screen yet; at least the one that moved a row. */
function news(now, next) {
  const known = new Map(rowsOf(now).map((row) => [row.dataset.key, row]));
  let count = 0;
  for (const row of rowsOf(next)) {
    const old = known.get(row.dataset.key)?.cells;
    for (const cell of [...row.cells].slice(3)) {
      count += cell.textContent !== (old?.[cell.cellIndex]?.textContent ?? "—");
    }
  }
  return Math.max(1, count);
}

/* A push leaves out the rows and cells that are as in the version before: they are taken from its drawing. */
function complete(next, drawings) {
  const { since } = next.dataset;
  if (since === undefined) return true;
  const before = drawings.find((drawing) => drawing?.dataset.version === since);
  const rows = new Map([...(before?.querySelectorAll("tr[data-key]") ?? [])].map((row) => [row.dataset.key, row]));
  for (const kept of next.querySelectorAll("[data-kept]")) {
    const row = rows.get(kept.closest("tr").dataset.key);
    const known = kept.nodeName === "TR" ? row : row?.cells[kept.cellIndex];
    if (!known) return false;
    kept.replaceWith(known.cloneNode(true));
  }
  delete next.dataset.since;
  return before !== undefined;
}

class Live {
  constructor(box) {
    this.box = box;
    this.id = box.dataset.live;
    this.tries = 0;
    this.connect();
    setInterval(() => this.poll(), POLL_MS);
    // Another view (a filter, a sort) is another subscription.
    document.body.addEventListener("htmx:afterSettle", () => {
      this.drop();
      if (this.query !== this.asked) this.reconnect();
    });
    this.later = box.querySelector("[data-held]");
    this.later?.querySelector("button").addEventListener("click", () => this.showHeld());
    addEventListener("pagehide", () => this.socket?.close());
    addEventListener("pageshow", (event) => event.persisted && this.reconnect());
  }

  get fragment() { return document.getElementById(this.id); }
  get query() { return this.fragment?.dataset.query ?? ""; }
  get version() { return Number(this.fragment?.dataset.version ?? -1); }

  show(state) {
    this.state = state;
    for (const sign of document.querySelectorAll("[data-live-state]")) {
      sign.dataset.state = state;
      sign.textContent = WORDS[state];
    }
  }

  connect() {
    this.asked = this.query;
    const url = new URL(this.box.dataset.socket, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = [this.query, `version=${this.version}`, UNPACKS && "packed=1&changes=1"].filter(Boolean).join("&");
    const socket = (this.socket = new WebSocket(url));
    socket.onopen = () => { this.tries = 0; this.show("live"); };
    socket.binaryType = "arraybuffer";
    socket.onmessage = async (event) => {
      const html = await unpacked(event.data);
      if (socket === this.socket) this.draw(html);
    };
    socket.onclose = (event) => socket === this.socket && this.closed(event.code);
  }

  closed(code) {
    if (code === GONE) return this.show("gone");
    this.tries += 1;
    const crowded = code === CROWDED;
    this.show(crowded ? "crowded" : this.tries > 2 ? "polling" : "reconnecting");
    const wait = (crowded ? CROWDED_WAIT_MS : Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.tries)) * (0.5 + Math.random() / 2);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  reconnect() {
    clearTimeout(this.timer);
    const old = this.socket;
    this.socket = null;
    old?.close();
    this.connect();
  }

  async poll() {
    if (document.hidden || ["live", "ended", "gone"].includes(this.state)) return;
    const asked = this.query;
    try {
      const answer = await fetch(`${this.box.dataset.poll}?${asked}`, { headers: { "X-Poll": "1" } });
      if (answer.redirected) this.show("ended");
      else if (answer.status === 404) this.show("gone");
      else if (answer.ok && asked === this.query) this.draw(await answer.text());
    } catch {
      this.show("reconnecting"); // the server is away too; the next beat asks again
    }
  }

  draw(html) {
    const next = new DOMParser().parseFromString(html, "text/html").getElementById(this.id);
    const now = this.fragment;
    if (!next || !now || (next.dataset.query ?? "") !== this.query) return;
    if (Number(next.dataset.version) < this.version) return; // an older drawing that was overtaken
    if (!complete(next, [this.held, now])) return this.reconnect(); // and be sent the whole
    if (this.later && reads(now, this.later) && moves(now, next)) this.hold(now, next);
    else this.take(now, next);
  }

  take(now, next) {
    this.drop();
    const changed = patch(now, next);
    window.htmx?.process(now);
    this.box.dispatchEvent(new CustomEvent("live:drawn", { bubbles: true, detail: { changed } }));
  }

  /* Rows must not jump under the pointer: the newest drawing waits until its reader asks for it. */
  hold(now, next) {
    this.held = next;
    const count = news(now, next);
    this.later.hidden = false;
    this.later.querySelector("button").textContent = `${count} new result${count === 1 ? "" : "s"}: show`;
  }

  showHeld() {
    const next = this.held;
    if (next && this.fragment) this.take(this.fragment, next);
    this.fragment?.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  }

  drop() {
    this.held = null;
    if (this.later) this.later.hidden = true;
  }
}

const box = document.querySelector("[data-live]");
if (box) new Live(box);

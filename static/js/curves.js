/* Running means of a job or a run: fetched by address, and again while scores come in.

   <section data-curves="/jobs/7/curves/"> holds the fragment. What is drawn is patched, so that a line grows where it is:
   scroll, focus, an open table and a tooltip stay. */
import "./drawings.js";
import { patch } from "./patch.js";

const PAUSE_MS = 2000; // between two fetches, however fast scores come in
const box = document.querySelector("[data-curves]");
let waiting = null;
let last = 0;

async function refresh() {
  waiting = null;
  last = Date.now();
  if (document.hidden) return soon();
  const answer = await fetch(box.dataset.curves, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return; // the page itself says that its server is away, and asks again
  const next = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
  if (box.firstElementChild) patch(box.firstElementChild, next);
  else box.append(next);
}

function soon() {
  waiting ??= setTimeout(refresh, Math.max(0, last + PAUSE_MS - Date.now()));
}

if (box) {
  soon();
  addEventListener("live:drawn", soon);
  document.body.addEventListener("htmx:afterSettle", ({ target }) => target.id === "run" && soon());
}

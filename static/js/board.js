/* The hand on tables: what changed lights up for two seconds; / searches, ? explains, j and k step. */
import "./live.js";

const LIT_MS = 2000;
const MANY = 400; // when a whole board changes at once, lighting all of it says nothing

addEventListener("live:drawn", ({ detail: { changed } }) => {
  if (changed.size > MANY) return;
  for (const element of changed) {
    element.classList.remove("changed");
    void element.offsetWidth; // restarts the animation
    element.classList.add("changed");
    setTimeout(() => element.classList.remove("changed"), LIT_MS);
  }
});

const typing = (target) => target.closest("input, select, textarea, [contenteditable]");
const follow = (selector) => document.querySelector(selector)?.click();
const keys = {
  "/": () => document.querySelector("input[type=search]")?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
  j: () => follow("a[rel=next]"),
  k: () => follow("a[rel=prev]"),
  ArrowRight: () => follow("a[rel=next]"),
  ArrowLeft: () => follow("a[rel=prev]"),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (!(event.target instanceof Element) || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  // A table that scrolls keeps its arrow keys.
  if (event.key.startsWith("Arrow") && event.target.closest("[tabindex]")) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

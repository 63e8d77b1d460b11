/* The hand on a board: cells by arrow keys, tooltips, sorting by several columns, the columns' chooser, what to compare.

   Rows, filters and order are the server's; nothing here changes a number. */
import "./drawings.js";
import { show } from "./tip.js";

const MOST = 6; // contenders beside each other
const fragment = () => document.getElementById("standings");
const table = () => document.querySelector("[data-board]");
const query = () => new URLSearchParams(fragment().dataset.query);
const fetchView = (asked) =>
  window.htmx.ajax("GET", `${fragment().dataset.fragment}?${asked}`, { target: "#standings", swap: "outerHTML" });

/* --- tooltips: a cell holds numbers only, words are made when somebody asks ---------------------------------------- */
const words = (cell) => {
  const head = table().tHead.rows[0].cells[cell.cellIndex]?.querySelector("a");
  const numbers = cell.querySelector("[data-c]")?.dataset.c.split(" ") ?? [];
  const lines = [`${cell.parentElement.querySelector(".who a")?.textContent} on ${head?.dataset.sort}`];
  if (numbers.length === 3) lines.push(`95 % interval ${numbers[0]} to ${numbers[1]}`, `${Number(numbers[2]).toLocaleString("en-GB")} samples`);
  if (numbers.length === 2) lines.push(`Running: ${numbers[0]} of ${numbers[1]} samples`);
  if (numbers.length === 1) lines.push(`${numbers[0]} samples`);
  if (!cell.querySelector("a")) lines.push("Not run");
  if (cell.querySelector("b")) lines.push("Best of the column");
  if (cell.querySelector("i")) lines.push("Made by another version of the harness than most of this column");
  return lines;
};

const explain = ({ target }) => {
  if (!(target instanceof Element)) return;
  if (target.closest("[data-tip]")) return; // explains itself
  const cell = target.closest("[data-board] tbody td:not(.rank, .value)");
  if (cell) show(cell.querySelector("a") ?? cell, words(cell), cell.getBoundingClientRect());
};
addEventListener("pointerover", explain);
addEventListener("focusin", explain);

/* --- arrow keys ---------------------------------------------------------------------------------------------------- */
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const held = (cell) => cell.querySelector("a") ?? cell;

function goTo(cell) {
  if (!cell) return;
  const there = held(cell);
  if (there === cell && !cell.hasAttribute("tabindex")) cell.tabIndex = -1;
  there.focus({ preventScroll: true });
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function step(cell, [down, right]) {
  const rows = [...table().tBodies[0].rows].filter((row) => row.dataset.key !== "divider");
  const at = rows.indexOf(cell.parentElement);
  const row = rows[Math.max(0, Math.min(rows.length - 1, at + down))];
  goTo(row.cells[Math.max(1, Math.min(row.cells.length - 1, cell.cellIndex + right))]);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !table()) return;
  const box = event.target.closest?.(".board-box");
  if (!box || event.target.closest("thead")) return;
  const cell = event.target.closest("tbody td, tbody th");
  if (event.key === "c" && cell) cell.parentElement.querySelector(".pick")?.click();
  else if (event.key === "Home" && cell) goTo(cell.parentElement.cells[1]);
  else if (event.key === "End" && cell) goTo(cell.parentElement.lastElementChild);
  else if (STEPS[event.key] && cell) step(cell, STEPS[event.key]);
  else if (STEPS[event.key]) goTo(table().tBodies[0].rows[0].cells[1]);
  else return;
  event.preventDefault();
});

/* --- several columns ------------------------------------------------------------------------------------------------ */
addEventListener("click", (event) => {
  const head = event.target.closest?.("[data-sort]");
  if (!head || !event.shiftKey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const asked = query();
  const keys = (asked.get("sort") ?? "").split(",").filter(Boolean);
  const key = head.dataset.sort;
  const at = keys.findIndex((one) => one.replace(/^-/, "") === key);
  if (at < 0) keys.push(key);
  else keys[at] = keys[at] === key ? `-${key}` : key;
  asked.set("sort", keys.join(","));
  asked.delete("page");
  fetchView(asked);
}, { capture: true });

/* --- which columns ---------------------------------------------------------------------------------------------------- */
const form = document.getElementById("filters");
const chooser = document.querySelector("[data-chooser]");

function chosenColumns() {
  const boxes = [...chooser.querySelectorAll("input")];
  const on = boxes.filter((box) => box.checked).map((box) => box.value);
  const off = boxes.filter((box) => !box.checked).map((box) => `-${box.value}`);
  return (on.length && on.length < off.length ? on : off).join(",");
}

chooser?.addEventListener("click", ({ target }) => {
  const which = target.closest("[data-columns]")?.dataset.columns;
  if (!which) return;
  const boxes = [...chooser.querySelectorAll("input")];
  const members = which.startsWith("@") ? boxes.filter((box) => `@${box.dataset.group}` === which) : boxes;
  const on = which === "all" || (which !== "none" && !members.every((box) => box.checked));
  for (const box of members) box.checked = on;
  chooser.dispatchEvent(new Event("input", { bubbles: true }));
});
chooser?.addEventListener("input", () => { form.elements.cols.value = chosenColumns(); });

/* --- compare ------------------------------------------------------------------------------------------------------------ */
const tray = document.querySelector("[data-tray]");
const KEY = `compare ${tray?.dataset.tray}`;
const chosen = new Map(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));

function drawTray() {
  sessionStorage.setItem(KEY, JSON.stringify([...chosen]));
  for (const box of document.querySelectorAll(".pick")) {
    box.checked = chosen.has(box.value);
    box.disabled = !box.checked && chosen.size >= MOST;
  }
  tray.hidden = chosen.size === 0;
  tray.querySelector("[data-tray-names]").textContent = [...chosen.values()].join(", ");
  const open = tray.querySelector("[data-tray-open]");
  open.hidden = chosen.size < 2;
  open.textContent = `Compare ${chosen.size}`;
  open.href = `${tray.dataset.tray}&contenders=${[...chosen.keys()].join(",")}`;
}

addEventListener("change", ({ target }) => {
  if (!target.matches?.(".pick")) return;
  if (target.checked) chosen.set(target.value, target.closest("tr").querySelector(".who a").textContent);
  else chosen.delete(target.value);
  drawTray();
});
tray?.querySelector("[data-tray-clear]").addEventListener("click", () => { chosen.clear(); drawTray(); });
addEventListener("live:drawn", drawTray);
document.body.addEventListener("htmx:afterSettle", drawTray);
drawTray();

/* Drawings that the server made as SVG: tooltips and arrow keys in them, and saving as PNG, SVG or CSV. */
import { hide, show } from "./tip.js";

const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "opacity"];

/* A file of its own has no stylesheet: what is computed is written into it. */
function copyOf(svg) {
  const copy = svg.cloneNode(true);
  const from = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, at) => {
    const used = getComputedStyle(from[at]);
    for (const name of STYLES) element.setAttribute(name, used.getPropertyValue(name));
    element.removeAttribute("class");
  });
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of [["width", "100%"], ["height", "100%"], ["fill", getComputedStyle(svg.closest("figure")).backgroundColor]]) ground.setAttribute(name, value);
  copy.prepend(ground);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return new XMLSerializer().serializeToString(copy);
}

function save(name, blob) {
  const href = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { download: name, href }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

async function savePng(svg, name) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(copyOf(svg))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * svg.width.baseVal.value, 2 * svg.height.baseVal.value];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => save(name, blob));
}

const quoted = (cell) => `"${cell.textContent.trim().replaceAll('"', '""')}"`;
const csv = (table) => [...table.rows].map((row) => [...row.cells].map(quoted).join(",")).join("\r\n");

addEventListener("click", ({ target }) => {
  const kind = target.closest?.("[data-save]")?.dataset.save;
  const figure = target.closest?.("[data-drawing]");
  if (!kind || !figure) return;
  const svg = figure.querySelector("svg");
  const name = `${figure.dataset.drawing}.${kind}`;
  if (kind === "csv") save(name, new Blob([csv(figure.querySelector("table"))], { type: "text/csv" }));
  else if (kind === "svg") save(name, new Blob([copyOf(svg)], { type: "image/svg+xml" }));
  else savePng(svg, name);
});

/* --- one tab stop for all bars: arrows go on ---------------------------------------------------------------------- */
addEventListener("keydown", (event) => {
  const mark = event.target.closest?.("[data-mark]");
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!mark || !step) return;
  event.preventDefault();
  const marks = [...mark.closest("svg").querySelectorAll("[data-mark]")];
  marks[Math.max(0, Math.min(marks.length - 1, marks.indexOf(mark) + step))].focus();
});

/* --- the heatmap: its table has the numbers ------------------------------------------------------------------------- */
const sizes = (svg) => Object.fromEntries(["left", "top", "wide", "tall"].map((name) => [name, Number(svg.dataset[name])]));

function point(svg, row, column) {
  const { left, top, wide, tall } = sizes(svg);
  const table = svg.closest("figure").querySelector("table");
  const cell = table.tBodies[0].rows[row]?.cells[column + 1];
  const cursor = svg.querySelector(".cursor");
  cursor.toggleAttribute("hidden", !cell);
  if (!cell) return hide();
  svg.dataset.at = `${row} ${column}`;
  cursor.setAttribute("x", left + column * wide);
  cursor.setAttribute("y", top + row * tall);
  const name = table.tBodies[0].rows[row].cells[0].textContent;
  const benchmark = table.tHead.rows[0].cells[column + 1].textContent;
  show(svg, [name, `${benchmark}: ${cell.textContent === "—" ? "no result" : `${cell.textContent} %`}`], cursor.getBoundingClientRect());
}

addEventListener("pointermove", (event) => {
  const svg = event.target.closest?.(".heat");
  if (!svg) return;
  const { left, top, wide, tall } = sizes(svg);
  const box = svg.getBoundingClientRect();
  const scale = svg.width.baseVal.value / box.width;
  const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  if (x >= left && y >= top) point(svg, Math.floor((y - top) / tall), Math.floor((x - left) / wide));
});

addEventListener("keydown", (event) => {
  const svg = event.target.closest?.(".heat");
  const step = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
  if (!svg || !step) return;
  event.preventDefault();
  const table = svg.closest("figure").querySelector("table");
  if (!svg.dataset.at) return point(svg, 0, 0);
  const [row, column] = svg.dataset.at.split(" ").map(Number);
  const limit = (value, end) => Math.max(0, Math.min(end - 1, value));
  point(svg, limit(row + step[0], table.tBodies[0].rows.length), limit(column + step[1], table.tHead.rows[0].cells.length - 1));
});

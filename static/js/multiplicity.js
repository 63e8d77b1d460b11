/* The figures of a multiplicity report, and the dialog with every contender's answer to a sample. */
import { axis, draw, fixed, frame, options, said } from "./charts.js";

const LONG = 14; // letters of a name under a narrow heat map
const counted = (number) => `${number} competitor${number === 1 ? "" : "s"}`;
const percent = (share) => `${fixed(100 * share, 1)} %`;

/* Two lines over a bound: exact at each step, told apart by dashes as well as by hue. */
function curves(curve, { name, scale, step, marks, x }, c) {
  const line = (key, title, at, type) => ({
    type: "line", name: title, step: step && "end", symbol: curve.at.length > 40 ? "none" : at ? "triangle" : "circle", symbolSize: 6,
    data: curve.at.map((bound, i) => [bound * scale, 100 * curve[key][i], curve.size[i]]),
    itemStyle: { color: c.hues[at] }, lineStyle: { color: c.hues[at], width: 2, type },
    markLine: at ? undefined : {
      silent: true, symbol: "none", lineStyle: { color: c.muted, type: "dashed" }, label: { color: c.muted, fontSize: 11 },
      data: marks.map(([label, value], nth) => ({ xAxis: value, label: { formatter: label, position: nth ? "insideMiddleTop" : "insideEndTop", rotate: 90 } })),
    },
  });
  return {
    ...frame(c),
    legend: { top: 0, left: 48, itemWidth: 28, textStyle: { color: c.ink } },
    grid: { left: 56, right: 24, top: 40, bottom: 48 },
    xAxis: axis(c, name, { scale: false, min: 0, ...x }),
    yAxis: axis(c, "Samples, %", { scale: false, min: 0, max: ({ max }) => (max < 1 ? 1 : undefined), nameGap: 38 }),
    series: [line("ambiguity", "Ambiguity", 0, "solid"), line("discrepancy", "Discrepancy", 1, "dashed")],
    tooltip: {
      ...frame(c).tooltip, trigger: "axis",
      formatter: (rows) => said(`${name} ${+rows[0].value[0].toFixed(3)}`, counted(rows[0].value[2]), ...rows.map((row) => `${row.seriesName} ${fixed(row.value[1], 1)} %`)),
    },
  };
}

/* A heat map of pairs: names on both sides, the number in the tooltip and, where there is room, in the cell. */
function pairs(matrix, names, { title, low, high, colours }, c, width) {
  const cell = (width - 150) / names.length;
  const short = (name) => (width < 480 && name.length > LONG ? `${name.slice(0, LONG - 1)}…` : name);
  const ends = { type: "category", data: names, splitArea: { show: false }, axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false } };
  return {
    ...frame(c),
    grid: { left: 8, right: 16, top: 12, bottom: 62, containLabel: true },
    xAxis: { ...ends, axisLabel: { color: c.muted, rotate: 45, formatter: short, interval: cell < 12 ? "auto" : 0 } },
    yAxis: { ...ends, inverse: true, axisLabel: { color: c.muted, formatter: short, interval: cell < 12 ? "auto" : 0 } },
    visualMap: { min: low, max: high, calculable: false, orient: "horizontal", left: "center", bottom: 0, itemHeight: 120, itemWidth: 12, inRange: { color: colours }, textStyle: { color: c.muted }, formatter: (value) => percent(value) },
    series: [{
      type: "heatmap", name: title,
      data: matrix.flatMap((row, y) => row.map((value, x) => [x, y, x === y ? null : value])),
      label: { show: cell > 34, color: c.ink, fontSize: 11, formatter: ({ value }) => (value[2] === null || value[2] === "-" ? "" : fixed(100 * value[2], 0)) },
      itemStyle: { borderColor: c.sheet, borderWidth: 1 },
      emphasis: { itemStyle: { borderColor: c.ink, borderWidth: 2 } },
    }],
    tooltip: { ...frame(c).tooltip, formatter: ({ value: [x, y, share] }) => said(names[y], names[x], x === y ? "itself" : `${title} ${percent(share)}`) },
  };
}

/* A tint that ink stays readable on. */
const tint = (hue, sheet) => {
  const parts = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
  const [over, under] = [parts(hue), parts(sheet)];
  return `rgb(${over.map((part, at) => Math.round(0.45 * part + 0.55 * under[at])).join(", ")})`;
};

options.epsilon = ({ epsilon, scale, unit, chosen }, c) =>
  curves(epsilon, {
    name: `ε, ${unit}`, scale, step: true,
    marks: [["ε", chosen.epsilon * scale], ...(chosen.errors ? [["2 SE", chosen.errors * scale]] : [])],
    x: { max: (value) => +(1.05 * Math.max(value.max, chosen.epsilon * scale, chosen.errors * scale)).toPrecision(2) },
  }, c);

options.delta = ({ delta, chosen }, c) =>
  curves(delta, { name: "δ", scale: 1, step: false, marks: [["δ", chosen.delta]], x: { max: 1 } }, c);

options.rarefaction = ({ rarefaction }, c) => ({
  ...frame(c),
  grid: { left: 56, right: 24, top: 16, bottom: 48 },
  xAxis: axis(c, "Competitors", { scale: false, min: 1, minInterval: 1, axisLabel: { color: c.muted } }),
  yAxis: axis(c, "Expected ambiguity, %", { scale: false, min: 0, nameGap: 38 }),
  series: [{ type: "line", data: rarefaction.map((share, at) => [at + 1, 100 * share]), symbolSize: 7, itemStyle: { color: c.hues[0] }, lineStyle: { color: c.hues[0], width: 2 } }],
  tooltip: { ...frame(c).tooltip, trigger: "axis", formatter: ([{ value }]) => said(counted(value[0]), `Expected ambiguity ${fixed(value[1], 1)} %`) },
});

options.disagreement = ({ disagreement, names }, c, width) =>
  pairs(disagreement, names, { title: "Disagreement", low: 0, high: Math.max(...disagreement.flat(), 0.01), colours: [c.sheet, tint(c.hues[0], c.sheet)] }, c, width);

options.excess = ({ excess, names }, c, width) => {
  const most = Math.max(0.01, ...excess.flatMap((row, y) => row.filter((_, x) => x !== y).map(Math.abs)));
  return pairs(excess, names, { title: "Excess agreement", low: -most, high: most, colours: [tint(c.hues[1], c.sheet), c.sheet, tint(c.hues[0], c.sheet)] }, c, width);
};

draw();

/* The answers come into a dialog: Escape and the button close it, and focus goes back to the link. */
addEventListener("htmx:afterSwap", ({ target }) => {
  const dialog = target.closest?.("dialog") ?? document.querySelector("dialog:has(#report_sample)");
  if (target.id === "report_sample" && dialog && !dialog.open) dialog.showModal();
});
addEventListener("click", ({ target }) => target.closest?.("[data-close]")?.closest("dialog")?.close());

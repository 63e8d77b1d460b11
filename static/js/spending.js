/* Figures of reports about spending less: the search, the estimate, and the plane of cost and quality. */
import { axis, draw, fixed, frame, options, said } from "./charts.js";

const DASHES = ["solid", "dashed", "dotted"];
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "roundRect", "pin", "arrow"];
const percent = (value, digits = 1) => `${fixed(value, digits)} %`;
const usd = (value) => `$${value.toLocaleString("en", { maximumSignificantDigits: 3 })}`;
const legend = (c) => ({ top: 0, left: 8, itemWidth: 28, textStyle: { color: c.ink } });
const line = (c, at, name, data, more) => ({
  type: "line", name, data, symbol: SYMBOLS[at % SYMBOLS.length], symbolSize: 7,
  itemStyle: { color: c.hues[at] }, lineStyle: { color: c.hues[at], width: 2, type: DASHES[at % DASHES.length] }, ...more,
});

options.search = ({ method, own, even }, c) => ({
  ...frame(c),
  grid: { left: 56, right: 28, top: 34, bottom: 52 },
  legend: legend(c),
  xAxis: axis(c, "Part of all evaluations, %", { scale: false, min: 0 }),
  yAxis: axis(c, "Names the best, %", { scale: false, min: 0, max: 100, nameGap: 38 }),
  series: [line(c, 0, method, own), ...(method === "Uniform spending" ? [] : [line(c, 1, "Uniform spending", even)])],
  tooltip: { ...frame(c).tooltip, formatter: ({ seriesName, value: [x, y] }) => said(seriesName, `with ${percent(x)} of the evaluations`, `names the best in ${percent(y)}`) },
});

options.estimates = ({ truth, estimates }, c) => ({
  ...frame(c),
  grid: { left: 56, right: 28, top: 20, bottom: 52 },
  xAxis: axis(c, "Replays, by their estimate", { scale: false, min: 0, max: estimates.length + 1 }),
  yAxis: axis(c, "Estimate, %", { nameGap: 38 }),
  series: [{
    type: "scatter", symbolSize: 6, itemStyle: { color: c.hues[0] }, data: estimates.map((value, at) => [at + 1, value]),
    markLine: { silent: true, symbol: "none", lineStyle: { color: c.ink, type: "dashed" }, label: { formatter: `all samples ${percent(truth)}`, color: c.ink, position: "insideStartTop" }, data: [{ yAxis: truth }] },
  }],
  tooltip: { ...frame(c).tooltip, formatter: ({ value: [, y] }) => said(`Estimate ${percent(y)}`, `off by ${fixed(y - truth)} points`) },
});

options.plane = ({ contenders, hull, oracle, routers }, c, width) => ({
  ...frame(c),
  grid: { left: 56, right: 28, top: 58, bottom: 52 },
  legend: { ...legend(c), type: width < 480 ? "scroll" : "plain" },
  xAxis: axis(c, "Mean cost of a sample", { scale: false, min: 0, axisLabel: { color: c.muted, formatter: usd, hideOverlap: true } }),
  yAxis: axis(c, "Quality, %", { nameGap: 38 }),
  series: [
    {
      type: "scatter", name: "contenders", symbolSize: 11, z: 4, itemStyle: { color: c.ink },
      data: contenders.map(({ name, cost, quality }) => ({ name, value: [cost, quality] })),
      label: { show: true, position: "top", formatter: "{b}", color: c.ink, fontSize: 11 }, labelLayout: { hideOverlap: true },
    },
    line(c, 0, "hull", hull, { symbol: "none", z: 2 }),
    ...routers.map(({ name, points }, at) => line(c, 1 + (at % 7), name, points, { symbolSize: 5, lineStyle: { color: c.hues[1 + (at % 7)], width: 1.5, type: DASHES[at % 3] } })),
    { type: "scatter", name: "oracle", symbol: "diamond", symbolSize: 14, itemStyle: { color: c.sheet, borderColor: c.ink, borderWidth: 2 }, data: [oracle] },
  ],
  tooltip: { ...frame(c).tooltip, formatter: ({ name, seriesName, value: [x, y] }) => said(name || seriesName, percent(y), `${usd(x)} a sample`) },
});

options.pair = ({ pair }, c) => ({
  ...frame(c),
  grid: { left: 56, right: 28, top: 34, bottom: 52 },
  legend: legend(c),
  xAxis: axis(c, `Share of calls to ${pair.strong}, %`, { scale: false, min: 0, max: 100 }),
  yAxis: axis(c, "Quality, %", { nameGap: 38 }),
  series: [
    line(c, 0, `by ${pair.router}`, pair.share.map((part, at) => [100 * part, 100 * pair.quality[at]]), { symbol: "none" }),
    line(c, 1, "at random", [[0, 100 * pair.weak_quality], [100, 100 * pair.strong_quality]], { symbol: "none" }),
  ],
  tooltip: { ...frame(c).tooltip, trigger: "axis", formatter: ([{ value: [x, y] }]) => said(`${percent(x, 0)} of the calls`, `quality ${percent(y)}`) },
});

draw();

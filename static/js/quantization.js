/* The figures of a report about quantisation: size and quality, and which answers flip. */
import { axis, draw, fixed, frame, options, said } from "./charts.js";

const SYMBOLS = ["circle", "rect", "triangle", "diamond", "roundRect", "pin", "arrow"];
const DASHES = ["solid", "dashed", "dotted"];
const UNITS = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]];

const size = (bytes) => {
  const [unit, name] = UNITS.find(([least]) => bytes >= least) ?? [1, "B"];
  return `${(bytes / unit).toLocaleString("en", { maximumSignificantDigits: 3 })} ${name}`;
};

/* A logarithmic axis of bytes; each tick is twice the one before. */
function doubling(values) {
  const [min, max] = [Math.min(...values) / 1.25, 1.25 * Math.max(...values)];
  const ticks = [];
  for (let tick = 10 ** Math.floor(Math.log10(min)); tick <= max; tick *= 2) if (tick >= min) ticks.push(tick);
  return { type: "log", logBase: 2, min, max, axisTick: { show: true, customValues: ticks }, splitLine: { show: false }, labels: ticks };
}

/* Accuracy over bytes, where less is better, or over speed, where more is. The frontier's step line runs to the worse end. */
const placed = (kind, name, written, better) => (data, c) => {
  const points = [...data[kind]].sort((a, b) => b.dominated - a.dominated); // the frontier on top
  const { labels, ...across } = doubling(points.map((one) => one.value));
  const front = data[kind].filter((one) => !one.dominated).map((one) => [one.value, 100 * one.accuracy]);
  if (front.length) front.push([better < 0 ? across.max : across.min, front.at(-1)[1]]);
  return {
    ...frame(c),
    grid: { left: 56, right: 28, top: 24, bottom: 52 },
    xAxis: axis(c, name, { ...across, axisLabel: { color: c.muted, formatter: written, customValues: labels, hideOverlap: true } }),
    yAxis: axis(c, "Accuracy, %", { nameGap: 38 }),
    series: [
      {
        type: "scatter", z: 4,
        data: points.map((one) => ({
          name: one.name, value: [one.value, 100 * one.accuracy], symbol: one.reference ? "rect" : one.dominated ? "circle" : "diamond", symbolSize: one.dominated ? 9 : 12,
          itemStyle: one.dominated ? { color: c.sheet, borderColor: c.hues[7], borderWidth: 1.5 } : { color: c.hues[one.reference ? 1 : 0] },
        })),
        label: { show: true, position: "top", formatter: ({ name: who }) => who, color: c.ink, fontSize: 11 },
        labelLayout: { hideOverlap: true },
        emphasis: { scale: 1.5, itemStyle: { borderColor: c.ink, borderWidth: 2.5 } },
      },
      { type: "line", silent: true, z: 3, step: "end", symbol: "none", data: front, lineStyle: { color: c.hues[0], width: 2 }, tooltip: { show: false } },
    ],
    tooltip: {
      ...frame(c).tooltip,
      formatter: ({ dataIndex }) => {
        const one = points[dataIndex];
        return said(one.name, `Accuracy ${fixed(100 * one.accuracy, 1)} %`, `${name}: ${written(one.value)}`, one.dominated ? "dominated" : "on the frontier");
      },
    },
  };
};

const count = (value) => value.toLocaleString("en", { maximumSignificantDigits: 3 });
options["size-quality"] = placed("size-quality", "Bytes in the format", size, -1);
options["memory-quality"] = placed("memory-quality", "Peak memory", size, -1);
options["speed-quality"] = placed("speed-quality", "Tokens written per second", count, 1);

options["flips-margin"] = ({ flips }, c, width) => {
  const points = flips.flatMap((one, hue) => one.points.map((at) => ({ ...at, name: one.name, hue })));
  const place = (at) => [(at.low + at.high) / 2, (100 * at.flips) / at.samples];
  const look = (hue) => ({ symbol: SYMBOLS[hue % SYMBOLS.length], itemStyle: { color: c.hues[hue % c.hues.length] } });
  return {
    ...frame(c),
    grid: { left: 56, right: 28, top: 58, bottom: 52 },
    legend: { top: 0, left: 8, itemWidth: 28, textStyle: { color: c.ink }, type: width < 480 || flips.length > 6 ? "scroll" : "plain", data: flips.map((one) => one.name) },
    xAxis: axis(c, "Margin of the reference", { scale: false, min: 0, max: 1 }),
    yAxis: axis(c, "Answers changed, %", { scale: false, min: 0, nameGap: 38 }),
    series: [
      { type: "scatter", name: "all", z: 4, symbolSize: 9, data: points.map((at) => ({ value: place(at), ...look(at.hue) })) },
      ...flips.map((one, hue) => ({
        type: "line", name: one.name, silent: true, data: one.points.map(place), symbolSize: 7, ...look(hue), tooltip: { show: false },
        lineStyle: { color: c.hues[hue % c.hues.length], width: 2, type: DASHES[hue % DASHES.length] },
      })),
    ],
    tooltip: {
      ...frame(c).tooltip,
      formatter: ({ dataIndex }) => {
        const at = points[dataIndex];
        return said(at.name, `margin ${fixed(at.low)} to ${fixed(at.high)}`, `${at.flips.toLocaleString("en")} of ${at.samples.toLocaleString("en")} answers changed`);
      },
    },
  };
};

draw();

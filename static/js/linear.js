/* The figures of an audit of linear models: the band of viable ranges, and ambiguity over both bounds. */
import { axis, draw, fixed, frame, options, said } from "./charts.js";

const SYMBOLS = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond", "circle"];
const DASHES = ["solid", "dashed", "dotted"];
const SMALL = 0.0001;
const NARROW = 480; // the legend takes three lines
const probability = (value) => (value > 0 && value < SMALL ? `< ${SMALL}` : fixed(value, 4));
const short = (value) => String(+value.toPrecision(3));
const near = (a, b) => Math.abs(a / b - 1) < 1e-9;

/* The band is stacked areas: an invisible one up to its lower end, then its width, in two shades of conflict. */
options["viable-ranges"] = ({ rows, predicted, low, high, conflict, n, chosen }, c, width) => {
  const place = (at) => (rows.length > 1 ? 1 + (at * (n - 1)) / (rows.length - 1) : 1);
  const points = (values) => values.map((value, at) => [place(at), value]);
  const area = (name, values, style) => ({
    type: "line", name, data: points(values), stack: "band", step: "middle", symbol: "none", silent: true,
    lineStyle: { width: 0 }, itemStyle: style, areaStyle: style, emphasis: { disabled: true },
  });
  const widths = (wanted) => high.map((end, at) => (conflict[at] === wanted ? end - low[at] : 0));
  const [moved, kept] = [`Moved by ${chosen.delta} or more`, "By less"];
  return {
    ...frame(c),
    animation: false,
    legend: { top: 0, left: 48, itemWidth: 24, data: ["Baseline", moved, kept], textStyle: { color: c.ink } },
    grid: { left: 56, right: 24, top: width < NARROW ? 84 : 40, bottom: 48 },
    xAxis: axis(c, "Rows, by the baseline’s probability", { scale: false, min: 1, max: Math.max(n, 2), minInterval: 1, splitLine: { show: false }, axisLabel: { color: c.muted, hideOverlap: true } }),
    yAxis: axis(c, "Probability of label 1", { scale: false, min: 0, max: 1, nameGap: 38, axisLabel: { color: c.muted } }),
    series: [
      {
        type: "line", name: "Baseline", data: points(predicted), symbol: "none", z: 5, itemStyle: { color: c.ink }, lineStyle: { color: c.ink, width: 2 },
        markLine: { silent: true, symbol: "none", lineStyle: { color: c.muted, type: "dashed" }, label: { show: false }, data: [{ yAxis: 0.5 }] },
      },
      area("Least", low, { opacity: 0 }),
      area(moved, widths(1), { color: c.hues[1], opacity: 0.6 }),
      area(kept, widths(0), { color: c.hues[0], opacity: 0.3 }),
    ],
    tooltip: {
      ...frame(c).tooltip, trigger: "axis", axisPointer: { type: "line", lineStyle: { color: c.muted } },
      formatter: ([{ dataIndex: at }]) =>
        said(`Row ${rows[at]}`, `Baseline ${probability(predicted[at])}`, `Competing models ${probability(low[at])} to ${probability(high[at])}`, conflict[at] ? moved : `Moved by less than ${chosen.delta}`),
    },
  };
};

/* Lines over a bound, told apart by symbol and dashes as well as by hue; the report's own is thick. */
function shares(lines, across, { own, x, marks, tip }, c) {
  return {
    ...frame(c),
    legend: { type: "scroll", top: 0, left: 48, right: 8, itemWidth: 28, textStyle: { color: c.ink }, pageTextStyle: { color: c.muted }, pageIconColor: c.ink, pageIconInactiveColor: c.line },
    grid: { left: 56, right: 24, top: 40, bottom: 48 },
    xAxis: x,
    yAxis: axis(c, "Rows, %", { scale: false, min: 0, max: ({ max }) => (max < 1 ? 1 : undefined), nameGap: 38, axisLabel: { color: c.muted } }),
    series: lines.map(({ name, values }, at) => {
      const hue = c.hues[at % c.hues.length];
      return {
        type: "line", name, data: across.map((value, i) => [value, 100 * values[i]]), symbol: SYMBOLS[at], symbolSize: 7, z: at === own ? 4 : 3,
        itemStyle: { color: hue }, lineStyle: { color: hue, width: at === own ? 3.5 : 1.5, type: at === own ? "solid" : DASHES[at % DASHES.length] },
        markLine: at ? undefined : {
          silent: true, symbol: "none", precision: -1, lineStyle: { color: c.muted, type: "dashed" },
          data: marks.map(([label, value]) => ({ xAxis: value, label: { formatter: label, color: c.muted, fontSize: 11, position: "insideEndTop", rotate: 90 } })),
        },
      };
    }),
    tooltip: {
      ...frame(c).tooltip, trigger: "axis",
      formatter: (points) => said(tip(points[0].value[0]), ...points.map((point) => `${point.seriesName}: ${fixed(point.value[1], 1)} %`)),
    },
  };
}

options["over-delta"] = ({ epsilon, delta, ambiguity, chosen }, c) =>
  shares(epsilon.map((bound, at) => ({ name: `ε ${short(bound)}`, values: ambiguity[at] })), delta, {
    own: epsilon.findIndex((bound) => near(bound, chosen.epsilon)),
    x: axis(c, "δ", { scale: false, min: 0, axisLabel: { color: c.muted } }),
    marks: [["δ", chosen.delta]],
    tip: (value) => `δ ${value}`,
  }, c);

options["over-epsilon"] = ({ epsilon, delta, ambiguity, chosen }, c) => {
  const [least, most] = [epsilon[0], epsilon.at(-1)];
  const inside = chosen.profile >= least && chosen.profile <= most;
  return shares(delta.map((bound, at) => ({ name: `δ ${bound}`, values: ambiguity.map((row) => row[at]) })), epsilon, {
    own: delta.findIndex((bound) => near(bound, chosen.delta)),
    x: axis(c, "ε, nats a row", { type: "log", scale: undefined, min: least, max: most, axisLabel: { color: c.muted, hideOverlap: true, formatter: short } }),
    marks: [["ε", chosen.epsilon], ...(inside ? [["95 % profile", chosen.profile]] : [])],
    tip: (value) => `ε ${short(value)}`,
  }, c);
};

draw();

/* The figures of an audit of linear models: the band of viable ranges, and ambiguity over both bounds. */
import { axis, draw, fixed, frame, options, said } from "./charts.js";
import "./walk.js";

const DASHES = ["dotted", "dashed", "solid"];

/* The band is two stacked areas: an invisible one up to its lower end, then its width. */
options["viable-ranges"] = ({ rows, predicted, low, high }, c) => {
  const area = (name, data, style) => ({
    type: "line", name, data, stack: "band", symbol: "none", silent: true,
    lineStyle: { opacity: 0 }, areaStyle: style, emphasis: { disabled: true },
  });
  return {
    ...frame(c),
    legend: { top: 0, left: 48, data: ["Baseline", "Competing models"], textStyle: { color: c.ink } },
    grid: { left: 56, right: 24, top: 40, bottom: 48 },
    xAxis: axis(c, "Rows by the baseline’s probability", {
      type: "category", data: rows, boundaryGap: false, scale: undefined,
      axisLabel: { show: false }, axisTick: { show: false },
    }),
    yAxis: axis(c, "Probability of label 1", { scale: false, min: 0, max: 1, nameGap: 38 }),
    series: [
      {
        type: "line", name: "Baseline", data: predicted, symbol: "none", z: 3, itemStyle: { color: c.hues[1] }, lineStyle: { color: c.hues[1], width: 2 },
        markLine: { silent: true, symbol: "none", lineStyle: { color: c.muted, type: "dashed" }, label: { show: false }, data: [{ yAxis: 0.5 }] },
      },
      area("Lowest", low, { opacity: 0 }),
      { ...area("Competing models", high.map((value, at) => value - low[at]), { color: c.hues[0], opacity: 0.35 }), itemStyle: { color: c.hues[0] } },
    ],
    tooltip: {
      ...frame(c).tooltip, trigger: "axis",
      formatter: ([{ dataIndex: at }]) =>
        said(`Row ${rows[at]}`, `Baseline ${fixed(predicted[at], 3)}`, `Competing models ${fixed(low[at], 3)} to ${fixed(high[at], 3)}`),
    },
  };
};

options["ambiguity-grid"] = ({ epsilon, delta, ambiguity, chosen }, c, width) => ({
  ...frame(c),
  legend: { type: width < 480 ? "scroll" : "plain", top: 0, left: 48, right: 8, textStyle: { color: c.ink }, itemWidth: 28 },
  grid: { left: 56, right: 24, top: width < 480 ? 44 : 72, bottom: 48 },
  xAxis: axis(c, "δ", { scale: false, min: 0 }),
  yAxis: axis(c, "Rows, %", { scale: false, min: 0, max: 100, nameGap: 38 }),
  series: epsilon.map((value, at) => {
    const own = Math.abs(value / chosen.epsilon - 1) < 1e-9;
    const hue = c.hues[at % c.hues.length];
    return {
      type: "line", name: `ε ${+value.toPrecision(3)}`, symbol: own ? "circle" : "none", symbolSize: 6, z: own ? 4 : 2,
      data: delta.map((bound, i) => [bound, 100 * ambiguity[at][i]]),
      itemStyle: { color: hue }, lineStyle: { color: hue, width: own ? 3.5 : 1.5, type: own ? "solid" : DASHES[at % DASHES.length] },
      markLine: own ? {
        silent: true, symbol: "none", lineStyle: { color: c.muted, type: "dashed" },
        label: { color: c.muted, formatter: "δ", position: "insideEndTop", rotate: 0 }, data: [{ xAxis: chosen.delta }],
      } : undefined,
    };
  }),
  tooltip: {
    ...frame(c).tooltip, trigger: "axis",
    formatter: (lines) => said(`δ ${+lines[0].value[0].toFixed(3)}`, ...lines.map((line) => `${line.seriesName}: ${fixed(line.value[1], 1)} %`)),
  },
});

draw();

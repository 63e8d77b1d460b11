/* The figure of the page about runtime: measured latency over idealized seconds. */
import { axis, draw, frame, options, said } from "./charts.js";
import "./walk.js";

const time = (seconds) => {
  const [value, unit] = seconds < 1 ? [1000 * seconds, "ms"] : [seconds, "s"];
  return `${value.toLocaleString("en", { maximumSignificantDigits: 3 })} ${unit}`;
};

/* Both axes have the same ends, so that the line of equality is the diagonal. */
options.idealized = ({ idealized }, c) => {
  const values = idealized.flatMap(({ ideal, seen }) => [ideal, seen]);
  const ends = { type: "log", min: Math.min(...values) / 1.5, max: 1.5 * Math.max(...values) };
  const ticks = [];
  for (let tick = 10 ** Math.floor(Math.log10(ends.min)); tick <= ends.max; tick *= 10) if (tick >= ends.min) ticks.push(tick);
  const scale = { ...ends, axisTick: { show: true, customValues: ticks }, splitLine: { show: false } };
  const label = { color: c.muted, formatter: time, customValues: ticks, hideOverlap: true };
  return {
    ...frame(c),
    grid: { left: 76, right: 28, top: 24, bottom: 52 },
    xAxis: axis(c, "Idealised seconds of a sample", { ...scale, axisLabel: label }),
    yAxis: axis(c, "Latency p50", { ...scale, nameGap: 56, axisLabel: label }),
    series: [
      {
        type: "scatter", z: 4, symbolSize: 11, itemStyle: { color: c.hues[0] },
        data: idealized.map(({ name, ideal, seen }) => ({ name, value: [ideal, seen] })),
        label: { show: true, position: "top", formatter: "{b}", color: c.ink, fontSize: 11 },
        labelLayout: { hideOverlap: true },
        emphasis: { scale: 1.5, itemStyle: { borderColor: c.ink, borderWidth: 2.5 } },
      },
      {
        type: "line", silent: true, z: 3, symbol: "none", tooltip: { show: false },
        data: [[ends.min, ends.min], [ends.max, ends.max]], lineStyle: { color: c.muted, width: 1.5, type: "dashed" },
      },
    ],
    tooltip: {
      ...frame(c).tooltip,
      formatter: ({ dataIndex }) => {
        const { name, ideal, seen } = idealized[dataIndex];
        return said(name, `Idealised ${time(ideal)}`, `Latency ${time(seen)}`, `${(seen / ideal).toFixed(1)} times as long`);
      },
    },
  };
};

draw();

/* The figures of a cost report, and whom to compare: chosen in the table, by a click on the plot or by a box around
   points. */
import { axis, draw, fixed, frame, options, said } from "./charts.js";

const [FEWEST, MOST] = [2, 6]; // contenders that fit side by side
const NAME = 26; // letters of a name beside a bar
const LARGE = 20; // above this ratio an axis of money is logarithmic
const INFINITE = "∞";

const number = (value) => (value === "inf" ? Infinity : value);
const usd = (value) => {
  if (value === null) return "—";
  if (!Number.isFinite(number(value))) return INFINITE;
  if (value >= 1 || value === 0) return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${value.toLocaleString("en", { maximumSignificantDigits: 3, maximumFractionDigits: 20 })}`;
};
const percent = (share) => (share === null ? "—" : `${fixed(100 * share, 1)} %`);
const interval = ([low, high], written) => (low === null ? [] : [`${written(low)} to ${written(high)}`]);

/* A logarithmic axis of money with a little room at its ends, and ticks at 1, 2 and 5 of each decade while they fit. */
function logarithmic(values) {
  const [min, max] = [Math.min(...values) / 1.6, 1.6 * Math.max(...values)];
  const all = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power += 1) {
    for (const step of max / min > 300 ? [1] : [1, 2, 5]) all.push(+`${step}e${power}`);
  }
  const ticks = all.filter((tick) => tick >= min && tick <= max);
  return { type: "log", min, max, axisTick: { show: true, customValues: ticks }, splitLine: { show: false }, axisLabel: { customValues: ticks } };
}
const money = (c, name, { axisLabel, ...more }) => axis(c, name, { ...more, axisLabel: { color: c.muted, formatter: usd, hideOverlap: true, ...axisLabel } });

/* Both intervals of a point as thin lines through it. */
function whiskers(c) {
  return (_, api) => {
    const [x, y, left, right, low, high, faded] = Array.from({ length: 7 }, (_, at) => api.value(at));
    const line = (from, to) => {
      const [[x1, y1], [x2, y2]] = [api.coord(from), api.coord(to)];
      return { type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: c.muted, lineWidth: 1, opacity: faded ? 0.35 : 0.9 } };
    };
    const across = Number.isFinite(left) ? [line([left, y], [right, y])] : [];
    const up = Number.isFinite(low) ? [line([x, low], [x, high])] : [];
    return { type: "group", silent: true, children: [...across, ...up] };
  };
}

/* Which points bear their names: the frontier first, and nobody whose name would lie on another one. */
function named(contenders, { min, max }, width) {
  const taken = [];
  const x = (cost) => ((width - 84) * Math.log(cost / min)) / Math.log(max / min);
  const order = contenders.map((_, at) => at).sort((a, b) => contenders[a].dominated - contenders[b].dominated || contenders[b].accuracy - contenders[a].accuracy);
  const [low, high] = [Math.min(...contenders.map((one) => one.accuracy)), Math.max(...contenders.map((one) => one.accuracy))];
  const fits = (at) => {
    const place = [x(contenders[at].mean_cost), (240 * contenders[at].accuracy) / Math.max(high - low, 0.1)];
    const free = taken.every(([across, up]) => Math.abs(across - place[0]) > 7 * Math.min(NAME, contenders[at].name.length) || Math.abs(up - place[1]) > 20);
    if (free) taken.push(place);
    return free;
  };
  return new Set(order.filter(fits));
}

options.pareto = ({ contenders: all }, c, width) => {
  const contenders = [...all].sort((a, b) => b.dominated - a.dominated || a.mean_cost - b.mean_cost); // the frontier on top
  requestAnimationFrame(arm); // the box that chooses has to be offered anew after every drawing
  const places = contenders.map((one) => [one.mean_cost, 100 * one.accuracy]);
  const front = contenders.filter((one) => !one.dominated).sort((a, b) => a.mean_cost - b.mean_cost);
  const steps = front.map((one) => [one.mean_cost, 100 * one.accuracy]);
  const across = logarithmic(contenders.flatMap((one) => [one.mean_cost, ...one.mean_cost_interval.filter((end) => end > 0)]));
  const labelled = named(contenders, across, width);
  if (steps.length) steps.push([across.max, steps.at(-1)[1]]);
  const ends = contenders.map(({ mean_cost_interval: [left, right], accuracy_interval: [low, high], dominated }, at) => [
    ...places[at], left || NaN, right ?? NaN, low === null ? NaN : 100 * low, high === null ? NaN : 100 * high, dominated ? 1 : 0,
  ]);
  return {
    ...frame(c),
    grid: { left: 56, right: 28, top: 24, bottom: 52 },
    xAxis: money(c, "Mean cost of an attempt", across),
    yAxis: axis(c, "Accuracy, %", { min: ({ min }) => Math.max(0, Math.floor((min - 3) / 10) * 10), max: ({ max }) => Math.min(100, Math.ceil((max + 3) / 10) * 10), nameGap: 38, axisLabel: { color: c.muted } }),
    brush: { xAxisIndex: 0, yAxisIndex: 0, brushType: "rect", throttleType: "debounce", throttleDelay: 150, outOfBrush: {}, brushStyle: { color: "transparent", borderColor: c.ink, borderWidth: 1 } },
    toolbox: { show: false },
    series: [
      {
        type: "scatter", z: 4,
        data: contenders.map((one, at) => ({
          name: one.name, value: places[at], symbol: one.dominated ? "circle" : "diamond", symbolSize: one.dominated ? 9 : 13,
          itemStyle: one.dominated ? { color: c.sheet, borderColor: c.hues[7], borderWidth: 1.5, opacity: 0.55 } : { color: c.hues[0] },
          label: { show: labelled.has(at), opacity: one.dominated ? 0.7 : 1 },
        })),
        label: { position: "top", padding: [3, 5], formatter: ({ name }) => short(name, width), color: c.ink, fontSize: 11 },
        labelLayout: ({ rect }) => ({ hideOverlap: true, ...(rect.x + rect.width > width - 8 ? { align: "right", dx: width - 8 - rect.x - rect.width / 2 } : {}) }),
        emphasis: { scale: 1.5, itemStyle: { borderColor: c.ink, borderWidth: 2.5, opacity: 1 }, label: { show: true, fontWeight: "bold" } },
      },
      { type: "custom", silent: true, z: 2, data: ends, encode: { x: 0, y: 1 }, renderItem: whiskers(c), tooltip: { show: false } },
      { type: "line", silent: true, z: 3, step: "end", symbol: "none", data: steps, lineStyle: { color: c.hues[0], width: 2 }, tooltip: { show: false } },
    ],
    tooltip: {
      ...frame(c).tooltip,
      formatter: ({ dataIndex }) => {
        const one = contenders[dataIndex];
        return said(
          one.name, `Accuracy ${percent(one.accuracy)}`, ...interval(one.accuracy_interval, percent).map((text) => `  ${text}`),
          `Mean cost ${usd(one.mean_cost)}`, ...interval(one.mean_cost_interval, usd).map((text) => `  ${text}`),
          `V with the expert ${usd(one.value_with_expert)}`, one.dominated ? "dominated" : "on the frontier",
        );
      },
    },
  };
};

const short = (name, width) => {
  const most = width < 480 ? 14 : NAME;
  return name.length > most ? `${name.slice(0, most - 1)}…` : name;
};

const sparse = (c, width) => ({ splitNumber: width < 480 ? 3 : 5, axisLabel: { color: c.muted, hideOverlap: true } });

/* Bars that lie, the first at the top, with room for their names. */
function lying(names, c, width, more) {
  return {
    ...frame(c),
    grid: { left: 8, right: 40, top: more.legend ? 34 : 12, bottom: 48, containLabel: true },
    yAxis: { type: "category", inverse: true, data: names, axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false }, axisLabel: { color: c.ink, formatter: (name) => short(name, width), interval: names.length > 18 ? "auto" : 0 } },
    ...more,
  };
}

/* A hatched fill: no meaning by hue alone. */
function hatched(hue, sheet) {
  const image = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
  const pen = image.getContext("2d");
  pen.fillStyle = sheet;
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = hue;
  pen.lineWidth = 2;
  for (const shift of [-8, 0, 8]) {
    pen.moveTo(shift, 8);
    pen.lineTo(shift + 8, 0);
  }
  pen.stroke();
  return { image, repeat: "repeat" };
}

options.holders = ({ holders, expert, samples }, c, width) => {
  const names = [...holders.map((one) => one.name), "the expert"];
  const bar = (name, data, more) => ({ type: "bar", name, stack: "held", barMaxWidth: 18, data, ...more });
  return lying(names, c, width, {
    legend: { top: 0, left: 8, itemWidth: 20, textStyle: { color: c.ink } },
    xAxis: axis(c, `Samples of ${samples.toLocaleString("en")}`, { scale: false, min: 0, minInterval: 1, ...sparse(c, width) }),
    series: [
      bar("alone", [...holders.map((one) => one.holds_alone), { value: expert.holds, itemStyle: { color: c.hues[1] } }], { itemStyle: { color: c.hues[0] } }),
      bar("with others", [...holders.map((one) => one.holds - one.holds_alone), 0], { itemStyle: { color: hatched(c.hues[0], c.sheet), borderColor: c.hues[0], borderWidth: 1 } }),
    ],
    tooltip: {
      ...frame(c).tooltip, trigger: "axis", axisPointer: { type: "shadow" },
      formatter: ([{ dataIndex }]) => {
        const one = holders[dataIndex];
        return one ? said(one.name, `holds ${one.holds} samples, ${percent(one.holds / samples)}`, `${one.holds_alone} of them alone`) : said("the expert", `cheapest on ${expert.holds} samples, ${percent(expert.holds / samples)}`);
      },
    },
  });
};

options.progress = ({ progress, curve, expert }, c, width) => {
  const values = progress.map((one) => one.value);
  const alone = number(expert.value);
  const all = [...values, ...(Number.isFinite(alone) ? [alone] : [])];
  const wide = Math.min(...all) > 0 && Math.max(...all) / Math.min(...all) > LARGE;
  const first = progress.length && Number.isFinite(alone) ? [[progress[0].date, alone]] : [];
  return {
    ...frame(c),
    grid: { left: 84, right: 28, top: 34, bottom: 52 },
    legend: { top: 0, left: 8, itemWidth: 28, textStyle: { color: c.ink }, data: curve.length ? ["V", "fit"] : ["V"] },
    xAxis: { ...axis(c, "Released", { type: "time", splitLine: { show: false } }), axisLabel: { color: c.muted, hideOverlap: true } },
    yAxis: money(c, wide ? "V, logarithmic" : "V", { nameGap: 66, ...(wide ? logarithmic(all) : { scale: false, min: 0 }) }),
    series: [
      {
        type: "line", name: "V", step: "end", symbol: "circle", symbolSize: 8,
        data: [
          ...first.map((value) => ({ value, symbol: "none" })),
          ...progress.map((one, at) => ({ name: one.contender, value: [one.date, one.value], label: { position: 2 * at < progress.length ? "right" : "left" } })),
        ],
        itemStyle: { color: c.hues[0] }, lineStyle: { color: c.hues[0], width: 2 },
        label: { show: true, padding: [3, 5], color: c.ink, fontSize: 11, formatter: ({ name, dataIndex }) => (progress[dataIndex - first.length]?.relative_gain > 0.1 ? short(name, width) : "") },
        labelLayout: { hideOverlap: true },
        markLine: first.length ? { silent: true, symbol: "none", lineStyle: { color: c.muted, type: "dotted" }, label: { color: c.muted, fontSize: 11, position: "insideEndTop", formatter: `the expert alone, ${usd(alone)}` }, data: [{ yAxis: alone }] } : undefined,
      },
      { type: "line", name: "fit", symbol: "none", silent: true, data: curve, lineStyle: { color: c.hues[1], width: 2, type: "dashed" }, itemStyle: { color: c.hues[1] }, tooltip: { show: false } },
    ],
    tooltip: {
      ...frame(c).tooltip,
      formatter: ({ dataIndex }) => {
        const one = progress[dataIndex - first.length];
        return one ? said(`${one.contender}, ${one.date}`, `V ${usd(one.value)}`, `gain ${usd(one.gain)}, ${percent(one.relative_gain)}`) : said("before all of them", `the expert alone ${usd(alone)}`);
      },
    },
  };
};

options.essentialness = ({ families, singles }, c, width) => {
  const bar = (name, rows, from, hue, fill) => ({
    type: "bar", name, stack: "all", barMaxWidth: 18, itemStyle: { color: fill, borderColor: hue, borderWidth: 1 },
    data: Array.from({ length: families.length + singles.length }, (_, at) => (rows[at - from] ? 100 * (rows[at - from].essentialness ?? 0) : "-")),
  });
  const all = [...families, ...singles];
  return lying(all.map((one) => one.name), c, width, {
    legend: { top: 0, left: 8, itemWidth: 20, textStyle: { color: c.ink } },
    xAxis: axis(c, "Essentialness, %", { scale: false, min: 0, max: ({ max }) => (max < 1 ? 1 : Math.min(100, Math.ceil(max / 10) * 10)), ...sparse(c, width) }),
    series: [bar("contenders", singles, families.length, c.hues[0], c.hues[0]), ...(families.length ? [bar("families", families, 0, c.hues[1], hatched(c.hues[1], c.sheet))] : [])],
    tooltip: {
      ...frame(c).tooltip, trigger: "axis", axisPointer: { type: "shadow" },
      formatter: ([{ dataIndex }]) => said(`${all[dataIndex].name}${dataIndex < families.length ? ", a family" : ""}`, `V would fall short by ${percent(all[dataIndex].essentialness)} without ${dataIndex < families.length ? "all of them" : "it"}`),
    },
  });
};

/* Whom to compare. */
const form = () => document.querySelector("[data-cost-chooser]");
const boxes = () => [...(form()?.querySelectorAll("input[name=contender]") ?? [])];
const boxOf = (name) => boxes().find((box) => box.value === name);
const plotted = () => {
  const plot = document.querySelector('[data-chart="pareto"] [data-plot]');
  return plot && window.echarts.getInstanceByDom(plot);
};

function choose(names, on = () => true) {
  for (const box of boxes()) box.checked = names.includes(box.value) ? on(box) : box.checked;
  count();
}

function count() {
  if (!form()) return;
  const chosen = boxes().filter((box) => box.checked).map((box) => box.value);
  form().querySelector(".button").disabled = chosen.length < FEWEST || chosen.length > MOST;
  form().querySelector("[data-cost-count]").textContent = chosen.length ? `${chosen.length} chosen, ${FEWEST} to ${MOST} fit side by side` : `Choose ${FEWEST} to ${MOST}`;
  const chart = plotted();
  if (!chart) return;
  const names = chart.getOption().series[0].data.map((one) => one.name);
  chart.dispatchAction({ type: "downplay", seriesIndex: 0 });
  chart.dispatchAction({ type: "highlight", seriesIndex: 0, dataIndex: names.flatMap((name, at) => (chosen.includes(name) ? [at] : [])) });
}

const armed = new WeakSet();
let walked = null;
function arm() {
  const chart = plotted();
  if (!chart) return;
  if (matchMedia("(pointer: fine)").matches) chart.dispatchAction({ type: "takeGlobalCursor", key: "brush", brushOption: { brushType: "rect", brushMode: "single" } });
  count();
  if (armed.has(chart)) return;
  armed.add(chart);
  const nameAt = (at) => chart.getOption().series[0].data[at]?.name;
  chart.on("click", { seriesIndex: 0 }, ({ name }) => choose([name], (box) => !box.checked));
  chart.on("showTip", ({ dataIndex }) => { walked = dataIndex; });
  chart.on("brushEnd", ({ areas }) => {
    if (!areas.length) return;
    const [[left, right], [low, high]] = areas[0].coordRange;
    const inside = chart.getOption().series[0].data.filter(({ value: [x, y] }) => x >= left && x <= right && y >= low && y <= high);
    choose(inside.map((one) => one.name));
  });
  chart.getDom().addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || walked === null) return;
    event.preventDefault();
    choose([nameAt(walked)], (box) => !box.checked);
  });
}

addEventListener("change", ({ target }) => target.closest?.("[data-cost-chooser]") && count());
addEventListener("live:drawn", count);

draw();
count();

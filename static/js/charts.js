/* Draws the charts of a page from JSON that lies in it, again after each live update and each change of the theme.

   <figure data-chart="sensitivity" data-of="tournament-data"> has an element [data-plot], buttons [data-save], and a
   table with the same numbers. Colours and fonts are the page's own. */
import "./live.js";
import "./walk.js";

const { echarts } = window;
const KINDS = { "robust generalist": ["circle", 0], "aggressive specialist": ["diamond", 1] };
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin", "arrow", "roundRect", "circle"];
const DASHES = ["solid", "dashed", "dotted"];
const COLOURED = 8;
const NARROW = 420;
const NAMED = 170; // a quarter that is narrower would lie under its own name; the caption has it, too
const drawn = new Map();

/* Custom properties may hold light-dark(): only a used colour is resolved. */
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
const colour = (name) => {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
};
const palette = () => ({
  ink: colour("ink"), muted: colour("muted"), line: colour("line"), sheet: colour("sheet"),
  hues: Array.from({ length: COLOURED }, (_, at) => colour(`hue-${at + 1}`)),
});

export const fixed = (value, digits = 2) => value.toFixed(digits).replace("-", "−");
export const said = (...lines) => {
  const box = document.createElement("div");
  for (const line of lines) box.append(Object.assign(document.createElement("div"), { textContent: line }));
  return box;
};

/* The ends of an axis: a little room around the values, on tenths. */
const ends = (values) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(0.1, 0.08 * (high - low));
  return { min: Math.floor(10 * (low - room)) / 10, max: Math.ceil(10 * (high + room)) / 10 };
};

export const axis = (c, name, more) => ({
  type: "value", name, nameLocation: "middle", nameGap: 30, scale: true,
  nameTextStyle: { color: c.muted }, axisLabel: { color: c.muted, showMinLabel: more?.min === 0, showMaxLabel: more?.max === 100 }, axisLine: { show: true, lineStyle: { color: c.line } },
  splitLine: { lineStyle: { color: c.line } }, ...more,
});

export const frame = (c) => ({
  animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
  animationDuration: 300,
  textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: c.ink },
  tooltip: { backgroundColor: c.sheet, borderColor: c.line, textStyle: { color: c.ink }, confine: true },
});

/* Told apart by shape and size as well as by hue. */
const marker = (kind, c) => {
  const [symbol, hue] = KINDS[kind] ?? ["circle"];
  if (hue !== undefined) return { symbol, symbolSize: 11, itemStyle: { color: c.hues[hue] } };
  return { symbol, symbolSize: 8, itemStyle: { color: c.sheet, borderColor: c.hues[7], borderWidth: 1.5 } };
};

/* Kind of chart -> (data, colours, width) -> what echarts draws. Other modules add theirs and draw again. */
export const options = {
  sensitivity({ rows, medians, base }, c, width) {
    const [x, y] = medians;
    const across = ends(rows.map((row) => row.points[base][0]));
    const down = ends(rows.map((row) => row.drop));
    const named = (width * (across.max - x)) / (across.max - across.min) > NAMED;
    const quarter = (name, edge, position, hue) => [
      { name, xAxis: x, yAxis: y, itemStyle: { color: hue, opacity: 0.07 }, label: { show: named, position, color: c.muted, fontSize: 12 } },
      { xAxis: across.max, yAxis: edge },
    ];
    return {
      ...frame(c),
      grid: { left: 64, right: 40, top: 28, bottom: 48 },
      xAxis: axis(c, "E[S], nobody eliminated", across),
      yAxis: axis(c, "Drop when 2 leave", { ...down, nameGap: 44, axisLabel: { color: c.muted, showMinLabel: false, showMaxLabel: false, formatter: (value) => fixed(value, 1) } }),
      series: [{
        type: "scatter",
        data: rows.map((row) => ({ name: row.name, value: [row.points[base][0], row.drop], ...marker(row.kind, c) })),
        label: { show: true, position: "top", formatter: "{b}", color: c.ink, fontSize: 11 },
        labelLayout: { hideOverlap: true },
        emphasis: { label: { fontWeight: "bold" } },
        markLine: {
          silent: true, symbol: "none", lineStyle: { color: c.muted, type: "dashed" },
          label: { color: c.muted, fontSize: 11 },
          data: [
            { xAxis: x, label: { formatter: "middle", position: "insideEndTop", rotate: 0 } },
            { yAxis: y, label: { formatter: "middle", position: "insideStartTop" } },
          ],
        },
        markArea: {
          silent: true,
          data: [
            quarter("● robust generalists", down.max, "insideTopLeft", c.hues[0]),
            quarter("◆ aggressive specialists", down.min, "insideBottomRight", c.hues[1]),
          ],
        },
      }],
      tooltip: {
        ...frame(c).tooltip,
        formatter: ({ name, value, dataIndex }) =>
          said(name, `E[S] ${fixed(value[0])}`, `Drop ${fixed(value[1])}`, rows[dataIndex].kind),
      },
    };
  },

  eliminations({ rows, eliminations }, c, width) {
    const room = width < NARROW ? 92 : 124;
    const series = rows.map((row, at) => {
      const marked = at < COLOURED;
      const hue = marked ? c.hues[at] : c.line;
      return {
        type: "line", name: row.name, data: row.points.map(([value]) => value),
        symbol: marked ? SYMBOLS[at] : "none", symbolSize: 7, z: marked ? 3 : 2,
        itemStyle: { color: hue }, lineStyle: { color: hue, width: marked ? 2 : 1, type: DASHES[at % DASHES.length] },
        endLabel: { show: marked, formatter: "{a}", color: c.ink, fontSize: 11, width: room - 16, overflow: "truncate" },
        labelLayout: { moveOverlap: "shiftY" },
        emphasis: { focus: "series", lineStyle: { width: 3 }, endLabel: { show: true } },
      };
    });
    return {
      ...frame(c),
      grid: { left: 48, right: room, top: 16, bottom: 48 },
      xAxis: axis(c, "Eliminated after each round", { type: "category", data: eliminations, boundaryGap: false, scale: undefined, axisLabel: { color: c.muted } }),
      yAxis: axis(c, "E[S]", { scale: false, axisLabel: { color: c.muted } }),
      series,
      tooltip: {
        ...frame(c).tooltip,
        formatter: ({ seriesIndex, name, value }) =>
          said(rows[seriesIndex].name, `E[S] ${fixed(value)} ± ${rows[seriesIndex].points[eliminations.indexOf(name)][1].toFixed(3)}`, `${name} leave`),
      },
    };
  },
};

/* The spread of final points: lines, because bars of several contenders would hide each other. */
options.points = ({ rows, distribution }, c, width) => {
  const room = width < NARROW ? 92 : 150;
  const names = rows.slice(0, distribution.length).map((row) => row.name);
  return {
    ...frame(c),
    grid: { left: 56, right: 28, top: 58, bottom: 48 },
    legend: { top: 0, left: 8, type: "scroll", itemWidth: 28, textStyle: { color: c.ink, width: room, overflow: "truncate" }, pageTextStyle: { color: c.muted }, pageIconColor: c.ink, pageIconInactiveColor: c.line },
    xAxis: axis(c, "Final points", { scale: false, min: 0, max: distribution[0].length - 1, minInterval: 1, axisLabel: { color: c.muted } }),
    yAxis: axis(c, "Tournaments, %", { scale: false, min: 0, nameGap: 38, axisLabel: { color: c.muted } }),
    series: distribution.map((chances, at) => ({
      type: "line", name: names[at], data: chances.map((chance, points) => [points, 100 * chance]),
      symbol: SYMBOLS[at], symbolSize: 6, itemStyle: { color: c.hues[at] },
      lineStyle: { color: c.hues[at], width: 2, type: DASHES[at % DASHES.length] }, areaStyle: { color: c.hues[at], opacity: 0.06 },
      emphasis: { focus: "series" },
    })),
    tooltip: { ...frame(c).tooltip, formatter: ({ seriesName, value: [points, share] }) => said(seriesName, `${points} points in ${fixed(share, 1)} % of the tournaments`) },
  };
};

const optionOf = (figure, width) => {
  const data = JSON.parse(document.getElementById(figure.dataset.of).textContent);
  return options[figure.dataset.chart](data, palette(), width);
};

export function draw() {
  for (const [figure, chart] of drawn) {
    if (figure.isConnected) continue;
    chart.dispose();
    drawn.delete(figure);
  }
  for (const figure of document.querySelectorAll("[data-chart]")) {
    if (!options[figure.dataset.chart]) continue; // drawn by a module that is still on its way
    const plot = figure.querySelector("[data-plot]");
    if (!drawn.has(figure)) {
      drawn.set(figure, echarts.init(plot));
      new ResizeObserver(() => drawn.get(figure)?.resize()).observe(plot);
    }
    drawn.get(figure).setOption(optionOf(figure, plot.clientWidth), { notMerge: true });
  }
}

function download(name, address) {
  const link = Object.assign(document.createElement("a"), { download: name, href: address });
  link.click();
}

const quoted = (cell) => `"${cell.textContent.trim().replaceAll('"', '""')}"`;
const csv = (table) => [...table.rows].map((row) => [...row.cells].map(quoted).join(",")).join("\r\n");

/* A picture is drawn afresh, on the page's ground and wide enough to print. */
function picture(figure, kind) {
  const box = document.createElement("div");
  const [width, height] = [960, 600];
  const chart = echarts.init(box, null, { renderer: kind === "svg" ? "svg" : "canvas", width, height });
  chart.setOption({ ...optionOf(figure, width), animation: false, backgroundColor: palette().sheet });
  const address = chart.getDataURL({ type: kind, pixelRatio: 2, backgroundColor: palette().sheet });
  chart.dispose();
  return address;
}

addEventListener("click", ({ target }) => {
  const kind = target.closest("[data-save]")?.dataset.save;
  const figure = target.closest("[data-chart]");
  if (!kind || !figure) return;
  const name = `${figure.dataset.chart}.${kind}`;
  if (kind === "csv") {
    const address = URL.createObjectURL(new Blob([csv(figure.querySelector("table"))], { type: "text/csv" }));
    download(name, address);
    setTimeout(() => URL.revokeObjectURL(address), 10_000); // the browser may not have begun to read it
  } else download(name, picture(figure, kind));
});

draw();
addEventListener("live:drawn", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
matchMedia("print").addEventListener("change", draw); // paper is light, whatever the screen is
new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });

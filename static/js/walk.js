/* The arrow keys walk over the points of a plot that has the focus, as a pointer would: left and right along a series, up
   and down to another one. What cannot be pointed at is passed over. */
const places = new WeakMap();
const AXES = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const round = (value, size) => (value + size) % size;

const hole = (item) => {
  const value = item?.value ?? item;
  return item?.symbol === "none" || [value].flat().some((part) => part === null || part === undefined || part === "-");
};

/* By series that can be walked: its place, and the places of its points. An axis tells of lines without symbols, too. */
function lines({ series, tooltip }) {
  const byAxis = [tooltip].flat()[0]?.trigger === "axis";
  return series
    .map(({ silent, symbol, tooltip: own, data = [] }, at) => ({
      at,
      points: silent || own?.show === false || (symbol === "none" && !byAxis) ? [] : data.flatMap((item, i) => (hole(item) ? [] : [i])),
    }))
    .filter(({ points }) => points.length);
}

addEventListener("keydown", (event) => {
  const plot = event.target.closest?.("[data-plot][tabindex]");
  const step = AXES[event.key];
  if (!plot || !step) return;
  const chart = window.echarts.getInstanceByDom(plot);
  const walkable = chart ? lines(chart.getOption()) : [];
  if (!walkable.length) return;
  event.preventDefault();
  const known = places.get(plot);
  const line = known ? round(Math.min(known.line, walkable.length - 1) + step[1], walkable.length) : 0;
  const { at, points } = walkable[line];
  const place = known ? round(Math.min(known.place, points.length - 1) + step[0], points.length) : 0;
  places.set(plot, { line, place });
  chart.dispatchAction({ type: "showTip", seriesIndex: at, dataIndex: points[place] });
});
addEventListener("focusout", ({ target }) => {
  if (target.matches?.("[data-plot][tabindex]")) window.echarts.getInstanceByDom(target)?.dispatchAction({ type: "hideTip" });
});

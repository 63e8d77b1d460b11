/* The arrow keys walk over the points of a plot that has the focus, as a pointer would: left and right along a series, up
   and down to another one. */
const places = new WeakMap();
const AXES = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const round = (value, size) => (value + size) % size;
const walkable = ({ silent, tooltip, data }) => !silent && tooltip?.show !== false && (data?.length ?? 0) > 0;

addEventListener("keydown", (event) => {
  const plot = event.target.closest?.("[data-plot][tabindex]");
  const step = AXES[event.key];
  if (!plot || !step) return;
  const chart = window.echarts.getInstanceByDom(plot);
  const series = chart?.getOption().series ?? [];
  const lines = series.flatMap((one, at) => (walkable(one) ? [at] : []));
  if (!lines.length) return;
  event.preventDefault();
  const known = places.get(plot);
  const line = known ? round(Math.min(known.line, lines.length - 1) + step[1], lines.length) : 0;
  const size = series[lines[line]].data.length;
  const at = known ? round(Math.min(known.at, size - 1) + step[0], size) : 0;
  places.set(plot, { line, at });
  chart.dispatchAction({ type: "showTip", seriesIndex: lines[line], dataIndex: at });
});
addEventListener("focusout", ({ target }) => {
  if (target.matches?.("[data-plot][tabindex]")) window.echarts.getInstanceByDom(target)?.dispatchAction({ type: "hideTip" });
});

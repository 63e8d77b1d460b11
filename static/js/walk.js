/* The arrow keys walk over the points of a plot that has the focus, as a pointer would. */
const places = new WeakMap();
addEventListener("keydown", (event) => {
  const plot = event.target.closest?.("[data-plot][tabindex]");
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!plot || !step) return;
  const chart = window.echarts.getInstanceByDom(plot);
  const size = chart?.getOption().series[0].data.length ?? 0;
  if (!size) return;
  event.preventDefault();
  const place = places.has(plot) ? (places.get(plot) + step + size) % size : 0;
  places.set(plot, place);
  chart.dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: place });
});
addEventListener("focusout", ({ target }) => {
  if (target.matches?.("[data-plot][tabindex]")) window.echarts.getInstanceByDom(target)?.dispatchAction({ type: "hideTip" });
});

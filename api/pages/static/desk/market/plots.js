/** @file Two plots: the available margin over time, and the latency of orders from acceptance to execution. */

import { byId, debounce, make, setText } from "../../common/dom.js";
import { duration } from "../../common/time.js";
import { uPlot } from "../../common/uplot.js";
import { SECONDS, clockTicks, indiaDate, rupees, ticksOf, widthOf } from "./axes.js";
import { latenciesOf } from "./latency.js";

const HEIGHT = 132;
const MAX_ORDERS = 200;
const STEPS = [1, 2, 5].flatMap((digit) => [0, 1, 2, 3, 4, 5].map((power) => digit * 10 ** power)).sort((a, b) => a - b);
const COUNTS = [1, 2, 5, 10, 20, 50, 100];
const NOTE =
  "Times in IST. Latency: from an order's acceptance to its fill; for an order that rested, from its match.";
const TICK_FONT = "11px system-ui, sans-serif";

/** Show both plots, and redraw them when the store, the window's width or the colour scheme changes. */
export function showPlots(store) {
  const plots = [
    new Plot(byId("margin-plot"), { tick: rupees, isStepped: true, dataOf: () => marginData(store) }),
    new Plot(byId("latency-plot"), { tick: milliseconds, dataOf: () => latencyData(store) }),
  ];
  byId("plots-panel").append(make("p", { id: "plots-note", className: "muted small", textContent: NOTE }));
  const draw = debounce(() => plots.forEach((plot) => plot.draw()), 100);
  store.on(["history", "orders", "account"], draw);
  new ResizeObserver(draw).observe(byId("margin-plot"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plots.forEach((plot) => plot.forget());
    draw();
  });
}

/** One plot, created when there is data. */
class Plot {
  constructor(holder, options) {
    Object.assign(this, { holder, options, plot: null });
  }

  draw() {
    const data = this.options.dataOf();
    const width = this.holder.clientWidth;
    this.holder.classList.toggle("is-empty", data[0].length === 0);
    if (width === 0 || data[0].length === 0) return;
    if (!this.plot) {
      this.plot = new uPlot(plotOptions(this.options, width), data, this.holder);
      return;
    }
    if (this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT });
    this.plot.setData(data);
  }

  /** Remove the plot, so that the next draw uses the current colours. */
  forget() {
    this.plot?.destroy();
    this.plot = null;
  }
}

function plotOptions({ tick, isStepped }, width) {
  const colours = getComputedStyle(document.documentElement);
  const colour = (name) => colours.getPropertyValue(name).trim();
  const axis = { stroke: colour("--muted"), font: TICK_FONT, ticks: { show: false } };
  const grid = { stroke: colour("--line"), width: 1 };
  const line = { stroke: colour("--plot"), fill: colour("--plot-fill"), width: 1.5 };
  const stepped = { ...line, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } };
  const dots = { stroke: colour("--plot"), paths: () => null, points: { show: true, size: 5, fill: colour("--plot") } };
  return {
    width,
    height: HEIGHT,
    padding: [8, isStepped ? 28 : 8, 0, 0],
    legend: { show: false },
    tzDate: indiaDate,
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 6 } },
    scales: isStepped ? { y: { range: roomy } } : { x: { time: false, range: wholeDots }, y: { distr: 3, range: aroundDots } },
    axes: [
      { ...axis, size: 24, space: 60, grid: { show: false }, ...(isStepped ? { values: clockTicks, incrs: SECONDS } : { incrs: COUNTS }) },
      { ...axis, size: widthOf, space: 28, grid, values: ticksOf(tick), ...(isStepped ? {} : { splits, filter: (_, ticks) => ticks }) },
    ],
    series: [{}, isStepped ? stepped : dots],
  };
}

/** Return the history of the available margin, with a last point at the present time. */
function marginData(store) {
  const times = store.history.map(([at]) => at / 1e6);
  const amounts = store.history.map(([, amount]) => Number(amount));
  if (store.account && amounts.length) {
    times.push(Math.max(Date.now() / 1000, times.at(-1)));
    amounts.push(Number(store.account.availableMargin));
  }
  return [times, amounts];
}

/** Return the last executed orders in order of time, with their latency in milliseconds. */
function latencyData(store) {
  const took = latenciesOf(store.newestOrders()).slice(0, MAX_ORDERS).reverse();
  summarise(took);
  return [took.map((_, index) => index + 1), took];
}

function summarise(took) {
  const sorted = [...took].sort((a, b) => a - b);
  const at = (share) => duration(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
  setText(byId("latency-summary"), sorted.length ? `p50 ${at(0.5)} · p95 ${at(0.95)}` : "");
}

function roomy(_, low, high) {
  const margin = Math.max((high - low) * 0.15, high * 0.001, 1);
  return [low - margin, high + margin];
}

function wholeDots(_, low, high) {
  return [low - 0.5, high + 0.5];
}

/** Return the range of the logarithmic scale, on which one slow order does not flatten all others. */
function aroundDots(_, low, high) {
  return [Math.max(0.1, low / 2), high * 2];
}

function splits(_, __, low, high) {
  const within = STEPS.filter((step) => step >= low && step <= high);
  return within.length > 5 ? within.filter((step) => Number.isInteger(Math.log10(step))) : within;
}

function milliseconds(value) {
  return value < 1000 ? `${value} ms` : `${value / 1000} s`;
}

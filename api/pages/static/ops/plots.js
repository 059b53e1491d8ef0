/** @file Plots of the last minute or the last hour: orders, quotes, and times to the fill. */

import { byId, setText } from "../common/dom.js";
import { dayAndClock, ownTime, shortClock } from "../common/time.js";
import { rate, readings } from "./record.js";

const HEIGHT = 132;
const SPANS = { minute: 60, hour: 3600 };
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];
// Placed is a broad, pale line over a filled area, so that both are seen where executed runs along it.
const PLACED = { colour: "--placed", width: 6, fill: "--buy-soft" };
const EXECUTED = { colour: "--gain", width: 2 };
// A hidden page is let read once a minute.
const LONG = 150_000;
const { uPlot } = globalThis;

let span = "minute";
let plots = null;
let seconds = [];
let minutes = [];

/** Make the plots; `onSpan` is called after another span was chosen. */
export function makePlots(onSpan) {
  plots = {
    orders: new Plot(byId("throughput"), [PLACED, EXECUTED]),
    quotes: new Plot(byId("quotes"), [{ colour: "--plot", width: 1.5, fill: "--plot-fill" }]),
    times: new Plot(byId("times"), [{ colour: "--buy", width: 1.5 }, { colour: "--wait", width: 1.5 }]),
  };
  for (const button of document.querySelectorAll("#span button")) {
    button.addEventListener("click", () => {
      span = button.dataset.span;
      for (const other of document.querySelectorAll("#span button")) other.setAttribute("aria-pressed", String(other === button));
      draw();
      onSpan(span);
    });
  }
}

/** Show the orders of each second of the last minute, and the readings. */
export function showSeconds(found) {
  seconds = found;
  draw();
}

/** Show the orders of each minute of the last hour. */
export function showMinutes(found) {
  minutes = found;
  draw();
}

function draw() {
  const [orders, each] = span === "hour" ? [minutes, 60] : [seconds, 1];
  plots.orders.show(span, [
    orders.map((one) => Date.parse(one.at) / 1000),
    orders.map((one) => one.placed / each),
    orders.map((one) => one.executed / each),
  ]);
  showSince(readings("hour")[0]);
  const read = withGaps(readings(span));
  const times = read.map((one) => one.at / 1000);
  byId("plots-title").title = times.length ? ownTime(timestampOf(times.at(-1))) : "";
  plots.quotes.show(span, [times, read.map((one, index) => rate("quotes", read[index - 1], one))]);
  plots.times.show(span, [times, read.map((one) => one.latency), read.map((one) => one.fill)]);
}

/** Say since when the browser has recorded the hour; the service has it of the orders alone. */
function showSince(first) {
  byId("recorded").hidden = span !== "hour" || !first;
  if (!first) return;
  const at = timestampOf(first.at / 1000);
  setText(byId("recorded"), `Quotes and p95: as recorded by this page while it was open, since ${dayAndClock(at)} IST.`);
  byId("recorded").title = ownTime(at);
}

/** Return readings with an empty one wherever nothing was recorded for a while, at which the lines break off. */
function withGaps(read) {
  const isGap = (index) => index > 0 && read[index].at - read[index - 1].at > LONG;
  return read.flatMap((one, index) => (isGap(index) ? [{ at: one.at - 1, latency: null, fill: null }, one] : [one]));
}

/** A plot of some lines; it is made anew when the colour scheme changes. */
class Plot {
  constructor(holder, lines) {
    Object.assign(this, { holder, lines, plot: null, data: [[]], span: "minute" });
    new ResizeObserver(() => this.draw()).observe(holder);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.plot?.destroy();
      this.plot = null;
      this.draw();
    });
  }

  show(name, data) {
    Object.assign(this, { span: name, data });
    this.draw();
  }

  draw() {
    const width = this.holder.clientWidth;
    const isEmpty = this.data[0].length < 2;
    this.holder.classList.toggle("is-empty", isEmpty);
    if (width === 0 || isEmpty) return;
    if (!this.plot) this.plot = new uPlot(this.options(width), this.data, this.holder);
    else {
      if (this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT });
      this.plot.setData(this.data);
    }
  }

  options(width) {
    const axis = { stroke: colour("--muted"), font: "11px system-ui, sans-serif", ticks: { show: false } };
    const line = (one) => ({
      stroke: colour(one.colour),
      width: one.width,
      fill: one.fill && colour(one.fill),
      points: { show: false },
    });
    return {
      width,
      height: HEIGHT,
      padding: [8, 28, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 6 } },
      scales: {
        x: { range: () => this.range() },
        y: { range: (_, __, high) => [0, Math.max(1, high ?? 1) * 1.1] },
      },
      axes: [
        { ...axis, size: 24, space: 60, grid: { show: false }, values: (_, ticks) => ticks.map(clock) },
        { ...axis, size: 48, space: 26, grid: { stroke: colour("--line"), width: 1 }, incrs: STEPS },
      ],
      series: [{}, ...this.lines.map(line)],
    };
  }

  /** The whole span up to the last reading, however much of it is known. */
  range() {
    const last = this.data[0].at(-1);
    return [last - SPANS[this.span], last];
  }
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const clock = (tick) => shortClock(timestampOf(tick));

function timestampOf(seconds) {
  return new Date(seconds * 1000).toISOString();
}

/** @file A plot of values over time, which fills its holder and follows its width and the colour scheme. */

import { uPlot } from "../../common/uplot.js";
import { SECONDS, clockTicks, indiaDate, ticksOf, widthOf } from "./axes.js";

const FONT = "11px system-ui, sans-serif";

/** Return the value of one of the page's colours. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** One plot in a holder, made when there is data to show. */
export class LinePlot {
  #plot = null;

  /** `seriesOf()` returns uPlot's series in the present colours, `paint(plot)` draws over them, `tick(value, step)` a label. */
  constructor(holder, { seriesOf, tick, paint = () => {} }) {
    Object.assign(this, { holder, seriesOf, tick, paint });
    this.last = null;
    new ResizeObserver(() => this.last && this.show(...this.last)).observe(holder);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#plot?.destroy();
      this.#plot = null;
      if (this.last) this.show(...this.last);
    });
  }

  /** Show [times in seconds, values, …] on the span [from, to] of time and [low, high] of values. */
  show(data, range) {
    this.last = [data, range];
    this.range = range;
    const isEmpty = data[0].length === 0;
    this.holder.classList.toggle("is-empty", isEmpty);
    const { clientWidth: width, clientHeight: height } = this.holder;
    if (isEmpty || width === 0) return;
    this.#plot ??= new uPlot(this.#options(width, height), data, this.holder);
    if (this.#plot.width !== width || this.#plot.height !== height) this.#plot.setSize({ width, height });
    this.#plot.setData(data);
  }

  #options(width, height) {
    const axis = { stroke: colour("--muted"), font: FONT, ticks: { show: false } };
    return {
      width,
      height,
      padding: [10, 16, 0, 0],
      legend: { show: false },
      tzDate: indiaDate,
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 6 } },
      scales: { x: { range: () => this.range.time }, y: { range: () => this.range.values } },
      axes: [
        { ...axis, size: 24, space: 70, grid: { show: false }, incrs: SECONDS, values: clockTicks },
        { ...axis, size: widthOf, space: 28, grid: { stroke: colour("--line"), width: 1 }, values: ticksOf(this.tick) },
      ],
      series: [{}, ...this.seriesOf()],
      hooks: { draw: [(plot) => this.paint(plot)] },
    };
  }
}

/** Return the range of values with room above and below, which is at least a share of the highest. */
export function roomy(values, share = 0.0004) {
  const [low, high] = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  const margin = Math.max((high - low) * 0.12, high * share, 0.05);
  return [low - margin, high + margin];
}

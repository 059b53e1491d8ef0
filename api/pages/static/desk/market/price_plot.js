/** @file The price of the chosen stock as it was recorded, with marks where the account's orders were filled. */

import { byId, setText } from "../../common/dom.js";
import { fromHundredths, grouped } from "../../common/money.js";
import { uPlot } from "../../common/uplot.js";
import { micros } from "../../common/time.js";
import { keyOf } from "../store.js";
import { emptyText } from "./figures.js";
import { LinePlot, colour, roomy } from "./line_plot.js";

const SHORTEST = 30;
const EARLIER = 30;
const MARK = 6;

/** The plot of the chosen stock. */
export class PricePlot {
  constructor(store, recorder) {
    Object.assign(this, { store, recorder, fills: [] });
    this.plot = new LinePlot(byId("price-plot"), {
      tick: (value) => grouped(fromHundredths(BigInt(Math.round(value * 100)))),
      seriesOf: () => [
        { stroke: colour("--plot"), fill: colour("--plot-fill"), width: 1.5, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
      ],
      paint: (plot) => this.#paint(plot),
    });
  }

  /** Draw the last `span` seconds. */
  draw(span) {
    const key = this.store.selected && keyOf(this.store.selected);
    const now = (Date.now() + (this.store.clockOffset ?? 0)) / 1000;
    const [times, prices] = this.recorder.prices.get(key)?.since(now - span) ?? [[], []];
    this.fills = key ? fillsOf(this.store, key, now - span) : [];
    this.count = prices.length;
    if (prices.length) {
      times.push(Math.max(now, times.at(-1)));
      prices.push(prices.at(-1));
    }
    this.fills = this.fills.filter((fill) => fill.at >= Math.max(now - span, earliest(times[0] ?? now, now)));
    const first = Math.min(now - SHORTEST, ...times.slice(0, 1), ...this.fills.map((fill) => fill.at));
    this.average = averageOf(this.store, key);
    const values = [...prices, ...this.fills.map((fill) => fill.price), ...this.average];
    const start = Math.max(first, now - span);
    // Room beside the first mark.
    this.plot.show([times, prices], { time: [start - (now - start) * 0.02, now], values: roomy(values) });
    this.#describe(key);
  }

  #describe(key) {
    const marks = this.fills.length === 1 ? "1 fill is marked" : `${this.fills.length} fills are marked`;
    const recorded = this.count === 1 ? "1 price" : `${this.count} prices`;
    const text = key ? `Price of ${this.store.selected.symbol}: ${recorded} recorded, ${marks}` : "Price of the chosen stock";
    if (byId("price-plot").getAttribute("aria-label") !== text) byId("price-plot").setAttribute("aria-label", text);
    const average = this.average.length ? ` · dashed: your average, ${grouped(this.average[0].toFixed(2))}` : "";
    setText(byId("chart-note"), this.count ? `Recorded in this tab, times in IST. ▲ bought ▼ sold${average}` : emptyText(key));
  }

  #paint(plot) {
    const { ctx: context } = plot;
    context.save();
    for (const average of this.average) dashed(plot, context, average);
    for (const { at, price, side } of this.fills) {
      triangle(context, plot.valToPos(at, "x", true), plot.valToPos(price, "y", true), side);
    }
    context.restore();
  }
}

/** Return the time from which fills are marked: not so long before the record that its line would shrink to a speck. */
function earliest(recordedFrom, now) {
  return recordedFrom - (now - recordedFrom) - EARLIER;
}

/** Return the fills of a stock from a time on, oldest first. */
function fillsOf(store, key, from) {
  return [...store.orders.values()]
    .filter((order) => order.executedAt && order.averagePrice && keyOf(order) === key)
    .map((order) => ({ at: micros(order.executedAt) / 1e6, price: Number(order.averagePrice), side: order.side }))
    .filter((fill) => fill.at >= from)
    .sort((first, second) => first.at - second.at);
}

/** Return the average price of the open position in a stock, if there is one. */
function averageOf(store, key) {
  const open = [...store.positions.values()].filter((position) => position.quantity !== 0 && keyOf(position) === key);
  return open.slice(0, 1).map((position) => Number(position.averagePrice));
}

function dashed(plot, context, price) {
  const { left, width } = plot.bbox;
  const y = plot.valToPos(price, "y", true);
  context.beginPath();
  context.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  context.lineWidth = devicePixelRatio;
  context.strokeStyle = colour("--muted");
  context.moveTo(left, y);
  context.lineTo(left + width, y);
  context.stroke();
  context.setLineDash([]);
}

/** Draw a mark whose tip is at the price: from below for a purchase, from above for a sale. */
function triangle(context, x, y, side) {
  const size = MARK * devicePixelRatio * (side === "BUY" ? 1 : -1);
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x - size, y + 1.8 * size);
  context.lineTo(x + size, y + 1.8 * size);
  context.closePath();
  context.fillStyle = colour(side === "BUY" ? "--buy" : "--sell");
  context.strokeStyle = colour("--surface");
  context.lineWidth = devicePixelRatio;
  context.fill();
  context.stroke();
}

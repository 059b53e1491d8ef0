/** @file The account's equity and balance: minute by minute from the server, then as they came to this tab. */

import { byId, setText } from "../../common/dom.js";
import { get } from "../../common/http.js";
import { uPlot } from "../../common/uplot.js";
import { micros } from "../../common/time.js";
import { rupees } from "./axes.js";
import { LinePlot, colour, roomy } from "./line_plot.js";

const RETRY = 5000;
const SHORTEST = 30;
// On a short span the history begins not so long before the record that the record would shrink to a speck.
const SHORT = 900;

const NOTE =
  "Equity is the balance with the unrealised profit, of each minute before this tab was opened; times in IST. Dashed: the balance.";

/** The plot of balance and equity. */
export class EquityPlot {
  /** [seconds, balance, equity] of each minute of the last day, oldest first; null before they are read. */
  #history = null;

  constructor(store, recorder) {
    Object.assign(this, { store, recorder });
    this.plot = new LinePlot(byId("equity-plot"), {
      tick: rupees,
      seriesOf: () => {
        const stepped = { paths: uPlot.paths.stepped({ align: 1 }), points: { show: false }, spanGaps: true };
        return [
          { ...stepped, stroke: colour("--muted"), dash: [4, 4], width: 1 },
          { ...stepped, stroke: colour("--plot"), width: 1.75 },
        ];
      },
    });
  }

  /** Draw the last `span` seconds. */
  draw(span) {
    this.#history ?? this.#read();
    const now = Date.now() / 1000;
    const from = Math.max(now - span, span > SHORT ? 0 : this.#beforeRecord(now));
    const old = (this.#history ?? []).filter(([at]) => at < (this.recorder.start ?? now));
    const before = old.filter(([at]) => at < from).slice(-1).map(([, ...values]) => [from, ...values]);
    const shown = [...before, ...old.filter(([at]) => at >= from)];
    const balance = [...shown, ...pairs(this.recorder.balance.since(from))];
    const equity = [...shown.map(([at, , value]) => [at, value]), ...pairs(this.recorder.equity.since(from))];
    const data = joined(balance, equity);
    const values = data.slice(1).flat().filter((value) => value !== null);
    const first = Math.min(now - SHORTEST, data[0][0] ?? now);
    this.plot.show(data, { time: [Math.max(first, from), now], values: roomy(values, 0.00005) });
    this.#label(`Balance and equity of the account: ${shown.length} minutes from the server`);
    setText(byId("chart-note"), NOTE);
  }

  #label(text) {
    const element = byId("equity-plot");
    if (element.getAttribute("aria-label") !== text) element.setAttribute("aria-label", text);
  }

  #beforeRecord(now) {
    const start = this.recorder.start ?? now;
    return start - (now - start) - SHORTEST;
  }

  async #read() {
    this.#history = [];
    const curve = await get("/api/trading/account/equity", { interval: "1m" }).catch(() => null);
    if (!curve) setTimeout(() => (this.#history = null), RETRY);
    else this.#history = curve.data.map((row) => [micros(row.at) / 1e6, Number(row.balance), Number(row.equity)]);
  }
}

const pairs = ([times, values]) => times.map((at, index) => [at, values[index]]);

/** Return [times, first values, second values] of two lists of pairs, with null where one has no value. */
function joined(first, second) {
  const rows = new Map();
  for (const [index, list] of [first, second].entries()) {
    for (const [at, value] of list) rows.set(at, { ...rows.get(at), [index]: value });
  }
  const times = [...rows.keys()].sort((a, b) => a - b);
  return [times, ...[0, 1].map((index) => times.map((at) => rows.get(at)[index] ?? null))];
}

/** @file The panel of the chosen stock's price and of the account's equity; the plots are loaded when it is seen. */

import { byId, debounce, setText } from "../../common/dom.js";
import { grouped, toneOf } from "../../common/money.js";
import { keyOf } from "../store.js";
import { changeOf, changeText, emptyText } from "./figures.js";
import { whenSeen } from "./seen.js";

const TABS = ["price", "equity"];
const REDRAW = 1000;

/** The tabs, the span of time, and the plot that is shown. */
export class Chart {
  #tab = "price";
  #plots = null;
  #redraw = debounce(() => this.#draw(), 0);
  #drawnAt = 0;

  constructor(store, recorder) {
    Object.assign(this, { store, recorder });
    for (const tab of TABS) byId(`${tab}-tab`).addEventListener("click", () => this.#turn(tab));
    byId("chart-tabs").addEventListener("keydown", (event) => this.#press(event));
    byId("chart-span").addEventListener("change", () => this.#draw());
    store.on(["quotes", "account", "positions"], () => this.#soon());
    store.on(["orders"], () => this.#redraw());
    store.on(["selected"], () => {
      this.#title();
      this.#redraw();
    });
    store.on(["quotes"], (changed) => store.selected && changed.has(keyOf(store.selected)) && this.#title());
    setInterval(() => !document.hidden && this.#soon(), REDRAW);
    whenSeen(byId("chart-panel"), () => this.#load());
  }

  async #load() {
    try {
      const { PricePlot } = await import("./price_plot.js");
      const { EquityPlot } = await import("./equity_plot.js");
      this.#plots = { price: new PricePlot(this.store, this.recorder), equity: new EquityPlot(this.store, this.recorder) };
      this.#draw();
    } catch {
      setText(byId("chart-note"), "The plots could not be loaded. Reload the page to try again.");
    }
  }

  /** Draw once a second, however often the market moves. */
  #soon() {
    if (performance.now() - this.#drawnAt >= 0.9 * REDRAW) this.#redraw();
  }

  #draw() {
    if (!this.#plots) return;
    this.#drawnAt = performance.now();
    const span = Number(byId("chart-span").value);
    this.#plots[this.#tab].draw(span);
  }

  #turn(tab) {
    this.#tab = tab;
    for (const name of TABS) {
      byId(`${name}-tab`).setAttribute("aria-selected", String(name === tab));
      byId(`${name}-tab`).tabIndex = name === tab ? 0 : -1;
      byId(`${name}-view`).hidden = name !== tab;
    }
    this.#draw();
  }

  #press(event) {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = TABS.find((tab) => tab !== this.#tab);
    this.#turn(other);
    byId(`${other}-tab`).focus();
    event.preventDefault();
  }

  #title() {
    const { selected, quotes } = this.store;
    const key = keyOf(selected);
    const stock = quotes.get(key);
    setText(byId("chart-stock"), `${selected.symbol} ${selected.exchange}`);
    setText(byId("chart-last"), stock?.lastPrice ? grouped(stock.lastPrice) : "");
    const change = stock && changeOf(stock);
    setText(byId("chart-change"), change ? changeText(stock) : "");
    byId("chart-change").className = `num ${toneOf(change)}`;
    byId("chart-title").classList.toggle("is-aged", this.store.ageOf(key) !== "");
    byId("price-plot").dataset.empty = emptyText(key);
    if (!this.#plots) setText(byId("chart-note"), emptyText(key));
  }
}

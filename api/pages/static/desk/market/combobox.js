/** @file A text field that suggests stocks: the listbox pattern, for keyboard and pointer. */

import { byId, debounce, make } from "../../common/dom.js";
import { get } from "../../common/http.js";
import { grouped } from "../../common/money.js";

const SHOWN = 7;
const SYMBOL_START = /^[A-Z0-9&_.-]{1,32}$/;

/** The suggestions below the symbol's field. */
export class Combobox {
  #input = byId("symbol");
  #list = byId("symbol-list");
  #stocks = [];
  #active = -1;
  #asked = 0;

  /** `exchangeOf()` returns the exchange to search; `chosen()` and `closed()` are called after a choice and a close. */
  constructor({ exchangeOf, chosen, closed }) {
    Object.assign(this, { exchangeOf, chosen, closed });
    const suggest = debounce(() => this.#suggest(), 120);
    this.#input.addEventListener("input", suggest);
    this.#input.addEventListener("keydown", (event) => this.#press(event));
    this.#input.addEventListener("blur", () => this.#close());
    // Before the field loses the focus.
    this.#list.addEventListener("pointerdown", (event) => this.#point(event));
  }

  /** True if suggestions are shown and the typed text is none of them. */
  get isUndecided() {
    const typed = this.#input.value.trim().toUpperCase();
    return !this.#list.hidden && this.#stocks.every((stock) => stock.symbol !== typed);
  }

  async #suggest() {
    const prefix = this.#input.value.trim().toUpperCase();
    const asked = ++this.#asked;
    if (!SYMBOL_START.test(prefix)) return this.#close();
    const query = { prefix, exchange: this.exchangeOf(), limit: SHOWN };
    const page = await get("/api/market/stocks", query).catch(() => ({ data: [] }));
    if (asked !== this.#asked || document.activeElement !== this.#input) return undefined;
    return page.data.length === 1 && page.data[0].symbol === prefix ? this.#close() : this.#open(page.data);
  }

  #open(stocks) {
    // A stock that is already selected stays selected when a narrower list arrives.
    const kept = this.#stocks[this.#active]?.stockId;
    this.#stocks = stocks;
    this.#active = stocks.findIndex((stock) => stock.stockId === kept);
    this.#list.replaceChildren(...this.#stocks.map(option));
    this.#list.hidden = this.#stocks.length === 0;
    this.#mark();
  }

  #close() {
    const wasOpen = !this.#list.hidden;
    this.#asked += 1;
    this.#stocks = [];
    this.#list.hidden = true;
    this.#active = -1;
    this.#mark();
    if (wasOpen) this.closed();
  }

  /** Set the attributes that tell if the list is open and which suggestion is selected. */
  #mark() {
    this.#input.setAttribute("aria-expanded", String(!this.#list.hidden));
    [...this.#list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === this.#active)));
    if (this.#active >= 0) this.#input.setAttribute("aria-activedescendant", `stock-${this.#active}`);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  #press(event) {
    if (this.#list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const count = this.#stocks.length;
      this.#active = (this.#active + step + count + (this.#active < 0 && step < 0 ? 1 : 0)) % count;
      this.#mark();
      event.preventDefault();
    } else if (event.key === "Escape") {
      this.#close();
      event.preventDefault();
    } else if (event.key === "Enter" && this.#active >= 0) {
      this.#take(this.#active);
      event.preventDefault();
    } else if (event.key === "Tab" && this.#active >= 0) {
      this.#take(this.#active);
    }
  }

  #point(event) {
    const item = event.target.closest("[role=option]");
    event.preventDefault();
    if (item) this.#take([...this.#list.children].indexOf(item));
  }

  #take(index) {
    const stock = this.#stocks[index];
    this.#input.value = stock.symbol;
    this.#close();
    this.chosen();
  }
}

function option(stock, index) {
  const price = make("span", { className: "num", textContent: grouped(stock.lastPrice) });
  return make("li", { id: `stock-${index}`, role: "option", "aria-selected": "false" }, stock.symbol, price);
}

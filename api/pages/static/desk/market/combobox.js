/** @file A text field that suggests stocks: the listbox pattern, for keyboard and pointer. */

import { debounce, make } from "../../common/dom.js";
import { grouped } from "../../common/money.js";

const QUIET = 120;

/**
 * The suggestions below a field.
 *
 * `find(text)` returns a promise of stocks; `chosen(stock)` is called with the picked one, `closed()` after each close.
 * While the text is not decided, which is while the list is open or still searched for, Enter picks and never submits.
 */
export class Combobox {
  #stocks = [];
  #active = -1;
  #asked = 0;
  #isSearching = false;
  #picksWhenFound = false;

  constructor({ input, list, find, chosen, closed = () => {} }) {
    Object.assign(this, { input, list, find, chosen, closed });
    const suggest = debounce(() => this.#suggest(), QUIET);
    input.addEventListener("input", () => {
      this.#isSearching = this.#text !== "";
      this.#picksWhenFound = false;
      suggest();
    });
    input.addEventListener("keydown", (event) => this.#press(event));
    input.addEventListener("blur", () => this.#close());
    // Before the field loses the focus.
    list.addEventListener("pointerdown", (event) => this.#point(event));
  }

  /** True if suggestions are shown and the typed text is none of them. */
  get isUndecided() {
    return !this.list.hidden && this.#exact < 0;
  }

  /** Suggest the stocks that a promise brings, unless the field is left or changed meanwhile. */
  async offer(finding) {
    const text = this.#text;
    const stocks = await finding;
    if (stocks.length > 0 && text === this.#text && document.activeElement === this.input) this.#open(stocks);
  }

  get #text() {
    return this.input.value.trim();
  }

  get #exact() {
    const typed = this.#text.toUpperCase();
    return this.#stocks.findIndex((stock) => stock.symbol === typed);
  }

  async #suggest() {
    const text = this.#text;
    const asked = ++this.#asked;
    const stocks = text === "" ? [] : await this.find(text);
    if (asked !== this.#asked) return;
    this.#isSearching = false;
    if (document.activeElement !== this.input) return;
    this.#open(stocks);
    if (this.#picksWhenFound && this.#exact >= 0) this.#take(this.#exact);
    this.#picksWhenFound = false;
  }

  #open(stocks) {
    if (stocks.length === 0) return this.#close();
    // A stock that is already selected stays selected when a narrower list arrives.
    const kept = this.#stocks[this.#active]?.stockId;
    this.#stocks = stocks;
    this.#active = stocks.findIndex((stock) => stock.stockId === kept);
    this.list.replaceChildren(...stocks.map((stock, index) => this.#option(stock, index)));
    this.list.hidden = false;
    return this.#mark();
  }

  #close() {
    const wasOpen = !this.list.hidden;
    this.#asked += 1;
    this.#isSearching = false;
    this.#stocks = [];
    this.list.hidden = true;
    this.#active = -1;
    this.#mark();
    if (wasOpen) this.closed();
  }

  /** Set the attributes that tell if the list is open and which suggestion is selected. */
  #mark() {
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    [...this.list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === this.#active)));
    if (this.#active >= 0) this.input.setAttribute("aria-activedescendant", this.#idOf(this.#active));
    else this.input.removeAttribute("aria-activedescendant");
  }

  #press(event) {
    if (event.key === "Enter" && this.#isSearching) {
      this.#picksWhenFound = true;
      event.preventDefault();
    }
    if (this.list.hidden || event.defaultPrevented) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#step(step);
    else if (event.key === "Escape") this.#close();
    else if (event.key === "Enter") this.#take(this.#picked);
    else if (event.key === "Tab" && this.#active >= 0) return void this.#take(this.#active, { isLeft: true });
    else return;
    event.preventDefault();
  }

  /** The suggestion that Enter picks: the selected one, else the one that was typed, else the best. */
  get #picked() {
    return [this.#active, this.#exact, 0].find((index) => index >= 0);
  }

  #step(step) {
    const count = this.#stocks.length;
    this.#active = (this.#active + step + count + (this.#active < 0 && step < 0 ? 1 : 0)) % count;
    this.#mark();
  }

  #point(event) {
    const item = event.target.closest("[role=option]");
    event.preventDefault();
    if (item) this.#take([...this.list.children].indexOf(item));
  }

  #take(index, { isLeft = false } = {}) {
    const stock = this.#stocks[index];
    this.input.value = stock.symbol;
    this.#close();
    this.chosen(stock, { isLeft });
  }

  #idOf(index) {
    return `${this.list.id}-${index}`;
  }

  #option(stock, index) {
    const name = make("span", { className: "option-name", textContent: stock.name ?? "" });
    const price = make("span", { className: "num", textContent: grouped(stock.lastPrice) });
    const symbol = make("b", { textContent: stock.symbol });
    const exchange = make("small", { className: "exchange", textContent: stock.exchange });
    return make("li", { id: this.#idOf(index), role: "option", "aria-selected": "false" }, symbol, exchange, price, name);
  }
}

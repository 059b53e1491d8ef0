/** @file The watch list: rows that follow the quotes, chosen and ordered by pointer and by keyboard. */

import { byId, notify, setText } from "../../common/dom.js";
import { get } from "../../common/http.js";
import { fillTicket } from "../ticket/ticket.js";
import { keyOf } from "../store.js";
import { Combobox } from "./combobox.js";
import { stockOf } from "./keys.js";
import { findStocks } from "./stock_search.js";
import { WatchRow } from "./watch_row.js";
import { MOST, Watched } from "./watched.js";

// A new watch list begins with the first stocks of a server that has only so many; of thousands it could not choose.
const FEW = 60;
const FIRST = 10;
const PAUSE = 250;

/** The panel of the watch list. */
export class WatchList {
  #rows = new Map();
  #focused = null;
  #changed = new Set();

  constructor(store) {
    this.store = store;
    this.list = byId("watch-list");
    this.watched = new Watched();
    this.watched.onChange(() => this.#arrange());
    this.list.addEventListener("keydown", (event) => this.#press(event));
    this.list.addEventListener("focusin", (event) => this.#hold(event.target.closest("li")?.dataset.key));
    new Combobox({
      input: byId("watch-search"),
      list: byId("watch-search-list"),
      find: (text) => findStocks(text),
      chosen: (stock) => this.#add(stock),
    });
    store.on(["quotes"], (changed) => this.#showQuotes(changed));
    store.on(["selected"], () => this.#showChosen());
    this.#arrange();
    if (this.watched.isNew) this.#begin();
    else this.#chooseFirst();
  }

  /** Begin a new watch list with the first stocks of a server that has only a few. */
  async #begin() {
    const page = await get("/api/market/stocks", { limit: FEW }).catch(() => null);
    const priced = (page?.data ?? []).filter((stock) => stock.lastPrice !== null).slice(0, FIRST);
    if (priced.length === 0 || page.nextCursor !== null || !this.watched.isNew) return;
    this.store.putQuotes(priced);
    this.watched.replace(priced.map(keyOf));
    this.#chooseFirst();
  }

  /** Show the first stock in the plot until one is chosen. */
  #chooseFirst() {
    const [first] = this.watched.keys;
    if (first && !this.store.selected) this.store.select(first);
  }

  #add(stock) {
    byId("watch-search").value = "";
    this.store.putQuotes([stock]);
    if (!this.watched.add(keyOf(stock))) notify(`The watch list is full: it holds ${MOST} stocks.`, "problem");
    else this.#act("choose", keyOf(stock));
  }

  /** Show the rows of the watched stocks in their order. */
  #arrange() {
    const { keys } = this.watched;
    for (const [key, row] of this.#rows) {
      if (keys.includes(key)) continue;
      row.element.remove();
      this.#rows.delete(key);
    }
    keys.forEach((key, index) => {
      const { element } = this.#rowOf(key);
      if (this.list.children[index] !== element) this.list.insertBefore(element, this.list.children[index]);
    });
    byId("watch-empty").hidden = keys.length > 0;
    setText(byId("watch-count"), String(keys.length));
    this.store.watch("watch list", keys);
    this.#hold(keys.includes(this.#focused) ? this.#focused : keys[0]);
    this.#showChosen();
  }

  #rowOf(key) {
    let row = this.#rows.get(key);
    if (!row) {
      row = new WatchRow(key, (tool, of) => this.#act(tool, of));
      row.show(this.store.quotes.get(key), this.store);
      this.#rows.set(key, row);
    }
    return row;
  }

  /** Show changed quotes together, four times a second: the ticks of many stocks come one by one. */
  #showQuotes(changed) {
    if (this.#changed.size === 0) setTimeout(() => this.#flush(), PAUSE);
    for (const key of changed) this.#changed.add(key);
  }

  #flush() {
    for (const key of this.#changed) this.#rows.get(key)?.show(this.store.quotes.get(key), this.store);
    this.#changed.clear();
  }

  #showChosen() {
    const chosen = this.store.selected && keyOf(this.store.selected);
    for (const [key, row] of this.#rows) row.choose(key === chosen, this.store.quotes.get(key));
  }

  /** Let the Tab key reach this row and no other; the arrow keys reach the rest. */
  #hold(key) {
    if (!key) return;
    this.#focused = key;
    for (const row of this.#rows.values()) row.button.tabIndex = row.key === key ? 0 : -1;
  }

  #act(tool, key) {
    const sides = { buy: "BUY", sell: "SELL" };
    if (tool === "choose") this.#choose(key);
    else if (sides[tool]) fillTicket({ ...stockOf(key), side: sides[tool] });
    else if (tool === "remove") this.#remove(key);
    else this.#move(key, tool === "up" ? -1 : 1, document.activeElement);
  }

  #choose(key) {
    this.#hold(key);
    this.store.select(key);
    fillTicket(stockOf(key), { isFocused: false });
  }

  /** Moving an element takes the focus from it: give it back. */
  #move(key, step, held) {
    this.watched.move(key, step);
    held?.focus?.({ preventScroll: true });
    this.#rows.get(key).element.scrollIntoView({ block: "nearest" });
  }

  #remove(key) {
    const index = this.watched.keys.indexOf(key);
    const hadFocus = this.list.contains(document.activeElement);
    this.watched.remove(key);
    const next = this.watched.keys[Math.min(index, this.watched.keys.length - 1)];
    if (hadFocus) (this.#rows.get(next)?.button ?? byId("watch-search")).focus();
  }

  #press(event) {
    const key = event.target.closest("li")?.dataset.key;
    if (!key || event.ctrlKey || event.metaKey) return;
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const side = { b: "buy", s: "sell" }[event.key.toLowerCase()];
    if (step && event.altKey) this.#move(key, step, event.target);
    else if (step) this.#rows.get(this.watched.keys[this.watched.keys.indexOf(key) + step])?.button.focus();
    else if (side && !event.altKey) this.#act(side, key);
    else if (event.key === "Delete") this.#remove(key);
    else return;
    event.preventDefault();
  }
}

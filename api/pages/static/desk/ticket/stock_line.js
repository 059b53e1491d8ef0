/** @file The ticket's stock: its name and last price, and bid and ask, which fill in the price when pressed. */

import { byId, debounce, setText } from "../../common/dom.js";
import { NOTHING, grouped } from "../../common/money.js";
import { readStock } from "../market/stock_search.js";
import { keyOf } from "../store.js";
import { SYMBOL } from "./mistakes.js";

/** Follows the stock that the ticket names; `priced(price)` is called when a side of the book is pressed. */
export class StockLine {
  constructor(form, store, priced) {
    Object.assign(this, { form, store });
    this.follow = debounce(() => this.#follow(), 150);
    for (const side of ["bid", "ask"]) {
      byId(side).addEventListener("click", () => this.stock?.[`${side}Price`] && priced(this.stock[`${side}Price`]));
    }
    store.on(["quotes"], (changed) => this.key && changed.has(this.key) && this.show());
  }

  /** The key of the stock that the ticket names, or null. */
  get key() {
    const symbol = this.form.symbol.value.trim().toUpperCase();
    return SYMBOL.test(symbol) ? keyOf({ exchange: this.form.exchange.value, symbol }) : null;
  }

  get stock() {
    return this.key ? this.store.quotes.get(this.key) : undefined;
  }

  /** Return the stock as the server has it, null if it does not know it, or undefined if it does not answer. */
  async look() {
    const { key } = this;
    if (!key || this.stock) return this.stock;
    const [exchange, symbol] = key.split(":");
    const found = await readStock({ exchange, symbol });
    if (found) this.store.putQuotes([found]);
    return found;
  }

  async #follow() {
    const { key } = this;
    const found = await this.look();
    if (key !== this.key) return;
    if (found) this.store.watch("ticket", [key]);
    if (found && (!this.store.selected || keyOf(this.store.selected) !== key)) this.store.select(key);
    this.show();
  }

  /** Show the stock's figures. */
  show() {
    const { stock } = this;
    const isPriced = stock && stock.lastPrice != null;
    const age = isPriced ? this.store.ageOf(this.key) : "";
    setText(byId("symbol-hint"), isPriced ? `Last ${grouped(stock.lastPrice)}${age && ` · ${age} old`}` : "");
    for (const element of [byId("symbol-hint"), byId("ticket").querySelector(".book")]) {
      element.classList.toggle("is-old", age !== "");
    }
    setText(byId("stock-name"), stock?.name ?? "");
    this.#showSide("bid", "Bid", stock?.bidPrice, stock?.bidQuantity);
    this.#showSide("ask", "Ask", stock?.askPrice, stock?.askQuantity);
  }

  #showSide(id, name, price, quantity) {
    const button = byId(id);
    const size = price != null && quantity != null ? ` × ${grouped(quantity)}` : "";
    if (!setText(button, `${name} ${price == null ? NOTHING : grouped(price)}${size}`)) return;
    button.disabled = price == null;
    button.title = price == null ? "" : "Take this as the limit";
  }
}

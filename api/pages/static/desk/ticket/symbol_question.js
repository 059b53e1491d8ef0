/** @file The question about a symbol that nobody has quoted or imported, which a second press of the button answers. */

import { setText } from "../../common/dom.js";
import { Problem, send } from "../../common/http.js";
import { isUnheardOf } from "../market/stock_search.js";

// The second press of a double click comes sooner, and does not answer.
const ANSWER_AFTER = 600;

/** The question, asked on the button; `stock` looks the ticket's stock up. */
export class SymbolQuestion {
  /** The order that is asked about, as text. */
  #asked = "";
  #timer = 0;

  constructor(button, stock) {
    Object.assign(this, { button, stock });
  }

  /**
   * Return true if an order may be sent: its stock is known, or the question was answered; else ask with `say`.
   *
   * There is no question if the server refuses unknown symbols: its refusal names the nearest known ones.
   */
  async isSettled(order, text, say) {
    const { symbol } = order;
    if (this.#asked === text) return this.button.getAttribute("aria-disabled") !== "true";
    const stock = symbol ? await this.stock.look() : undefined;
    if (stock === undefined || !isUnheardOf(stock) || (stock === null && (await isRefused(order)))) return true;
    this.#asked = text;
    say(`Nobody has quoted or imported ${symbol}. Place anyway?`, "question");
    setText(this.button, `Place ${symbol} anyway`);
    this.button.dataset.step = "confirm";
    this.button.setAttribute("aria-disabled", "true");
    this.#timer = setTimeout(() => this.button.removeAttribute("aria-disabled"), ANSWER_AFTER);
    return false;
  }

  /** Take the question back. */
  withdraw() {
    this.#asked = "";
    clearTimeout(this.#timer);
    this.button.removeAttribute("aria-disabled");
    delete this.button.dataset.step;
  }
}

/** Return true if the server would refuse an order because its symbol is unknown. */
async function isRefused(order) {
  try {
    await send("POST", "/api/trading/orders/preview", { body: order });
    return false;
  } catch (error) {
    return error instanceof Problem && error.code === "unknown_symbol";
  }
}

/** @file The filters of the list of orders: by status, symbol and side. */

import { byId, debounce } from "../../common/dom.js";
import { isLive } from "../../common/words.js";

/** The filters above the table of orders; `changed()` is called when one has changed. */
export class OrderFilters {
  constructor(changed) {
    this.status = byId("filter-status");
    this.side = byId("filter-side");
    this.symbol = byId("filter-symbol");
    this.status.addEventListener("change", changed);
    this.side.addEventListener("change", changed);
    this.symbol.addEventListener("input", debounce(changed, 150));
    this.symbol.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.symbol.value = "";
      changed();
    });
  }

  /** Return the present filters. */
  chosen() {
    return { status: this.status.value, side: this.side.value, text: this.symbol.value.trim().toUpperCase() };
  }

  /** True if a filter is set. */
  get isSet() {
    return Object.values(this.chosen()).some((value) => value !== "");
  }
}

/** Return true for an order that passes filters. */
export function passes(order, { status, side, text }) {
  if (status === "LIVE" ? !isLive(order) : status && order.status !== status) return false;
  return (!side || order.side === side) && order.symbol.includes(text);
}

/** Return the query of the API that gives at least the orders that pass. */
export function queryFor({ status, side }) {
  return { status: status === "LIVE" ? null : status || null, side: side || null };
}

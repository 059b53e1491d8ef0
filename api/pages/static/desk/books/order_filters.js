/** @file The filters of the list of orders: by status, symbol and side. */

import { byId, debounce } from "../../common/dom.js";
import { isLive } from "../../common/words.js";

/** A field that filters a table by a part of the symbol; Escape empties it. */
export class SymbolFilter {
  constructor(field, changed) {
    this.field = field;
    field.addEventListener("input", debounce(changed, 150));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      field.value = "";
      changed();
    });
  }

  /** The part that is asked for, "" for any symbol. */
  get text() {
    return this.field.value.trim().toUpperCase();
  }

  /** Return true for an order, position or holding whose symbol has the part. */
  passes({ symbol }) {
    return symbol.includes(this.text);
  }
}

/** Return the number of rows: "12", "3 of 12". */
export function countText(passing, all) {
  return passing === all ? String(all) : `${passing} of ${all}`;
}

/** The filters above the table of orders; `changed()` is called when one has changed. */
export class OrderFilters {
  constructor(changed) {
    this.status = byId("filter-status");
    this.side = byId("filter-side");
    this.symbol = new SymbolFilter(byId("filter-symbol"), changed);
    this.status.addEventListener("change", changed);
    this.side.addEventListener("change", changed);
  }

  /** Return the present filters. */
  chosen() {
    return { status: this.status.value, side: this.side.value, text: this.symbol.text };
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

/** @file The books that the first paint does not need, and the modules that wait for a press. */

import "./export.js";
import { showHoldings } from "./holdings.js";
import { Ledger } from "./ledger.js";
import "./modify.js";
import "./order_detail.js";
import { watchBooks } from "./watched.js";

/** Show the holdings and the ledger, and watch the stocks of all books. */
export function showOtherBooks(store) {
  showHoldings(store);
  new Ledger(store);
  watchBooks(store);
}

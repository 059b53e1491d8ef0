/** @file The account's books: open orders, positions, holdings, all orders and the ledger. */

import { Ledger } from "./ledger.js";
import { showHoldings } from "./holdings.js";
import { showOpenOrders } from "./open_orders.js";
import { showOrders } from "./orders.js";
import { showPositions } from "./positions.js";
import { watchBooks } from "./watched.js";

/** Show the books, and update them when the store changes. */
export function showBooks(store, sync) {
  showOpenOrders(store);
  showPositions(store);
  showHoldings(store);
  showOrders(store, sync);
  new Ledger(store);
  watchBooks(store);
}

/** @file The books that a person looks for first: open orders, positions and all orders. */

import { showOpenOrders } from "./open_orders.js";
import { showOrders } from "./orders.js";
import { showPositions } from "./positions.js";

/** Show these books, and update them when the store changes. */
export function showBooks(store, sync) {
  showOpenOrders(store);
  showPositions(store);
  showOrders(store, sync);
}

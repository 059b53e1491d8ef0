/** @file The tables that the first paint shows. */

import { showOrders } from "./books/orders.js";
import { showPositions } from "./books/positions.js";

/** Start the tables. */
export function startTables(store, sync) {
  showPositions(store);
  showOrders(store, sync);
}

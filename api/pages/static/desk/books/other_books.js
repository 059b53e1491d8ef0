/** @file The books that the first paint does not need, and the modules that wait for a press. */

import "./export.js";
import { showHoldings } from "./holdings.js";
import { Ledger } from "./ledger.js";
import "./modify.js";
import { followDetail } from "./order_detail.js";
import { QuotePoll } from "../market/quote_poll.js";
import { isLive } from "../../common/words.js";
import { keyOf } from "../store.js";

/** Show the holdings and the ledger, and watch the stocks of all books. */
export function showOtherBooks(store) {
  showHoldings(store);
  new Ledger(store);
  followDetail(store);
  watchBooks(store);
}

/** Ask for the quotes of the stocks in the books, again each time that the set of stocks changes. */
function watchBooks(store) {
  let keys = [];
  store.on(["orders", "positions", "holdings"], () => {
    const needed = [...keysOf(store)].sort();
    if (needed.join(" ") === keys.join(" ")) return;
    keys = needed;
    store.watch("books", keys);
  });
  new QuotePoll(store, () => keys);
}

function keysOf(store) {
  const keys = new Set();
  for (const order of store.orders.values()) if (isLive(order)) keys.add(keyOf(order));
  for (const position of store.positions.values()) if (position.quantity !== 0) keys.add(keyOf(position));
  for (const holding of store.holdings.values()) keys.add(keyOf(holding));
  return keys;
}

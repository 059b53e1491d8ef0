/** @file The stocks whose quotes the books need live: those of open orders, positions and holdings. */

import { QuotePoll } from "../market/quote_poll.js";
import { isLive } from "../../common/words.js";
import { keyOf } from "../store.js";

/** Ask for the quotes of the stocks in the books, again each time that the set of stocks changes. */
export function watchBooks(store) {
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

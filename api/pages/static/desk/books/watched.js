/** @file The stocks whose quotes the books need live: those of open orders, positions and holdings. */

import { isLive } from "../../common/words.js";
import { stockKey } from "./live.js";

/** Ask for the quotes of the stocks in the books, again each time that the set of stocks changes. */
export function watchBooks(store) {
  let known = "";
  store.on(["orders", "positions", "holdings"], () => {
    const keys = [...keysOf(store)].sort();
    if (keys.join(" ") === known) return;
    known = keys.join(" ");
    store.watch?.("books", keys);
  });
}

function keysOf(store) {
  const keys = new Set();
  for (const order of store.orders.values()) if (isLive(order)) keys.add(stockKey(order));
  for (const position of store.positions.values()) if (position.quantity !== 0) keys.add(stockKey(position));
  for (const holding of store.holdings?.values() ?? []) keys.add(stockKey(holding));
  return keys;
}

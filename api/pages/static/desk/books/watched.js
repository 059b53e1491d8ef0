/** @file The stocks whose quotes the books need live: those of open orders, positions and holdings. */

import { isLive } from "../../common/words.js";
import { keyOf } from "../store.js";

/** Ask for the quotes of the stocks in the books, again each time that the set of stocks changes. */
export function watchBooks(store) {
  let known = "";
  const watch = () => {
    const keys = [...keysOf(store)].sort();
    if (keys.join(" ") === known) return;
    known = keys.join(" ");
    store.watch("books", keys);
  };
  store.on(["orders", "positions", "holdings"], watch);
  watch();
}

function keysOf(store) {
  const keys = new Set();
  for (const order of store.orders.values()) if (isLive(order)) keys.add(keyOf(order));
  for (const position of store.positions.values()) if (position.quantity !== 0) keys.add(keyOf(position));
  for (const holding of store.holdings.values()) keys.add(keyOf(holding));
  return keys;
}

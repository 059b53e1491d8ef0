/** @file The present price of a stock in the books: its newest quote, or the price that came with the position. */

import { fromHundredths, hundredths } from "../../common/money.js";
import { keyOf } from "../store.js";

/** Return the newest quote of a thing's stock, or undefined. */
export const quoteOf = (store, thing) => store.quotes.get(keyOf(thing));

/** Return the last price of a position or a holding; the quote's while the stream is live, since it is newer. */
export function lastPriceOf(store, thing) {
  const isStreaming = document.getElementById("desk").dataset.state === "live";
  const ticked = isStreaming ? quoteOf(store, thing)?.lastPrice : null;
  return ticked ?? thing.lastPrice;
}

/**
 * Return an amount of a position that moves with its price, at the present price.
 *
 * The amount came with the price `thing.lastPrice`, and moves by the quantity times the change since: exact, whereas the
 * average price is rounded.
 */
export function atPresentPrice(store, thing, amount, quantity = thing.quantity) {
  if (amount === null || amount === undefined || thing.lastPrice === null) return amount ?? null;
  const change = hundredths(lastPriceOf(store, thing)) - hundredths(thing.lastPrice);
  return change === 0n ? amount : fromHundredths(hundredths(amount) + BigInt(quantity) * change);
}

/** Return the sum of amounts as text; those that are null count as nothing. */
export function sumOf(amounts) {
  return fromHundredths(amounts.reduce((sum, amount) => sum + (amount ? hundredths(amount) : 0n), 0n));
}

// The books are painted at most 4 times a second, in a frame that paints quotes anyway: each frame of its own costs more
// than the cells in it. A change that no other follows is painted a little later.
const PAUSE = 200;
const LATEST = 300;

/** Call `action` with the set of changed stocks, at most 4 times a second, when quotes have changed. */
export function onTicks(store, action) {
  let changed = new Set();
  let [timer, actedAt] = [0, 0];
  const act = () => {
    clearTimeout(timer);
    timer = 0;
    if (document.visibilityState !== "visible") return;
    actedAt = performance.now();
    const taken = changed;
    changed = new Set();
    action(taken);
  };
  store.on(["quotes"], (keys) => {
    for (const key of keys ?? store.quotes.keys()) changed.add(key);
    if (performance.now() - actedAt >= PAUSE) act();
    else timer ||= setTimeout(act, LATEST);
  });
}

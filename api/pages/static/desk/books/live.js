/** @file The present price of a stock, and the profit at it: by its newest quote, or the price that came with the position. */

import { difference, fromHundredths, hundredths } from "../../common/money.js";
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

/** Return the unrealised profit of a position at the present price, or null if it is closed or has no price. */
export function unrealizedOf(store, position) {
  return position.quantity === 0 ? null : atPresentPrice(store, position, position.unrealizedPnl);
}

// The books are painted at most 4 times a second, in a frame that paints quotes anyway: each frame of its own costs more
// than the cells in it. A change that no other follows is painted a little later.
const PAUSE = 200;
const LATEST = 300;

const ofTicks = new WeakMap();
const ofProfit = new WeakMap();

/** Call `action` with the set of changed stocks, at most 4 times a second, when quotes have changed; all at the same time. */
export function onTicks(store, action) {
  if (!ofTicks.has(store)) ofTicks.set(store, heardTicks(store));
  ofTicks.get(store).push(action);
}

function heardTicks(store) {
  const actions = [];
  let changed = new Set();
  let [timer, actedAt] = [0, 0];
  const tell = () => {
    clearTimeout(timer);
    timer = 0;
    if (document.visibilityState !== "visible") return;
    actedAt = performance.now();
    const taken = changed;
    changed = new Set();
    for (const action of actions) action(taken);
  };
  store.on(["quotes"], (keys) => {
    for (const key of keys ?? store.quotes.keys()) changed.add(key);
    if (performance.now() - actedAt >= PAUSE) tell();
    else timer ||= setTimeout(tell, LATEST);
  });
  return actions;
}

/** Call `action` with the profit of all positions when it changes; all at once, so that the whole page shows the same. */
export function onProfit(store, action) {
  if (!ofProfit.has(store)) ofProfit.set(store, heardProfit(store));
  ofProfit.get(store).push(action);
  if (store.isLoaded) action(profitOf(store));
}

function heardProfit(store) {
  const actions = [];
  const tell = () => {
    const profit = profitOf(store);
    for (const action of actions) action(profit);
  };
  store.on(["positions", "charges"], tell);
  onTicks(store, tell);
  return actions;
}

/** Return the sums of the positions, and the age of the oldest price in them; `net` is null if a part of it is unknown. */
function profitOf(store) {
  const all = [...store.positions.values()];
  const gross = all.map((position) => atPresentPrice(store, position, position.dayPnl));
  const isKnown = store.dayCharges !== null && !gross.includes(null);
  return {
    unrealized: sumOf(all.map((position) => unrealizedOf(store, position))),
    net: isKnown ? difference(sumOf(gross), store.dayCharges) : null,
    age: store.oldestAgeOf(all.filter((position) => position.quantity !== 0).map(keyOf)),
  };
}

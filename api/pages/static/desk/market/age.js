/** @file The age of a price, by the server's clock: from 15 s on a price is old. */

import { micros } from "../../common/time.js";

const OLD_FROM = 15_000;

/** Return the age of a stock's quote in milliseconds, or null if it has none. */
export function ageOf(stock, store) {
  const at = stock?.quotedAt ?? stock?.lastPriceAt ?? null;
  return at === null ? null : Math.max(0, Date.now() + (store.clockOffset ?? 0) - micros(at) / 1000);
}

/** Return true if a stock's quote is old. */
export const isOld = (stock, store) => (ageOf(stock, store) ?? 0) >= OLD_FROM;

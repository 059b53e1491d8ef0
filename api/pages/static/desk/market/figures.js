/** @file Figures of a stock that follow from its quote: the change since the previous close, and the place in the day's range. */

import { NOTHING, difference, hundredths, signed } from "../../common/money.js";

/** Return the change since the previous close as an amount, or null if one of the prices is unknown. */
export function changeOf({ lastPrice, previousClose }) {
  return lastPrice == null || previousClose == null ? null : difference(lastPrice, previousClose);
}

/** Return the change and its share of the previous close as text: "+12.40 +0.50%". */
export function changeText(stock) {
  const change = changeOf(stock);
  return change === null ? NOTHING : `${signed(change)} ${shareText(change, stock.previousClose)}`;
}

function shareText(change, base) {
  const share = ((Number(change) / Number(base)) * 100).toFixed(2);
  return `${signed(share)}%`;
}

/** Return the text of the plot of a stock for which no price is recorded. */
export function emptyText(key) {
  return key ? "Waiting for the first tick." : "Choose a stock to see its price.";
}

/** Return the last price's place in the day's range from 0 to 1, or null if there is no range. */
export function placeInRange({ lastPrice, low, high }) {
  if (lastPrice == null || low == null || high == null) return null;
  const [bottom, top, last] = [low, high, lastPrice].map((price) => Number(hundredths(price)));
  return top > bottom ? Math.min(1, Math.max(0, (last - bottom) / (top - bottom))) : null;
}

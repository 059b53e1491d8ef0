/** @file The latency of executions: how long an order took from its acceptance, or from its match, to its fill. */

import { millisecondsBetween } from "../../common/time.js";

const LEAST = 0.1;
// The rules of the fills of orders that did not rest, unless a match says so.
const AT_ONCE = ["first_look", "market"];

/** Return the latencies of the executed orders in milliseconds; the time for which an order rested is in none. */
export function latenciesOf(orders) {
  const counted = orders.filter((order) => order.executedAt && startOf(order));
  return counted.map((order) => Math.max(LEAST, millisecondsBetween(startOf(order), order.executedAt)));
}

/** Return the time from which an order's execution counts, or null if it rested and its match is unknown. */
function startOf({ matchedAt, placedAt, triggeredAt, afterMarket, fill }) {
  if (matchedAt) return matchedAt;
  const hasRested = afterMarket || triggeredAt || (fill && !AT_ONCE.includes(fill.rule));
  return hasRested ? null : placedAt;
}

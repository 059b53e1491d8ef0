/** @file The way that the market has to go until an order trades or a stop is triggered. */

import { NOTHING, fromHundredths, grouped, hundredths } from "../../common/money.js";

/**
 * Return how far an order's level is from the market, as hundredths of a rupee, or null.
 *
 * A stop that waits for its trigger is measured from the last price; any other order with a level from the side of the
 * book that it trades against. 0 or less: the market has reached the level.
 */
export function distanceOf(order, quote) {
  const isStop = order.triggerPrice !== null && order.triggeredAt === null;
  const level = isStop ? order.triggerPrice : (order.price ?? order.protectionPrice);
  const market = isStop ? quote?.lastPrice : sideOf(order, quote);
  if (!level || !market) return null;
  const isFromBelow = (order.side === "BUY") === isStop;
  const way = hundredths(level) - hundredths(market);
  return { way: isFromBelow ? way : -way, market: hundredths(market) };
}

/** Return a distance as text: "₹1.50 (0.10 %)". */
export function distanceText(order, quote) {
  const distance = distanceOf(order, quote);
  if (distance === null) return NOTHING;
  if (distance.way <= 0n) return "Reached";
  const percent = (Number(distance.way) * 100) / Number(distance.market);
  return `₹${grouped(fromHundredths(distance.way))} (${percent.toFixed(2)} %)`;
}

/** Return the price that an order trades against: the other side of the book; without any book the last price. */
function sideOf(order, quote) {
  if (!quote) return null;
  if (!quote.bidPrice && !quote.askPrice) return quote.lastPrice;
  return order.side === "BUY" ? quote.askPrice : quote.bidPrice;
}

/** @file Plain words for an order: its type, its prices, the thing that it waits for, its end. */

import { NOTHING, grouped } from "../../common/money.js";
import { ageText, dayAndClock, duration, millisecondsBetween } from "../../common/time.js";
import { isLive, nameOf } from "../../common/words.js";

const TYPES = { MARKET: "Market", LIMIT: "Limit", STOP_LIMIT: "Stop limit", STOP_MARKET: "Stop market" };
const WAITS = { price: "Its price", trigger: "Its trigger", quote: "A usable quote", session: "The opening" };
const VALIDITIES = { DAY: "Until the close", IOC: "Immediate or cancelled", GTC: "Until cancelled" };
const END_REASONS = {
  client: "cancelled by you",
  ioc: "could not fill at once",
  square_off: "cancelled before the square-off",
  oco: "its partner has filled",
  reset: "the account was reset",
  stock_inactive: "the stock is no longer traded",
};

/** Return the name of an order's type. */
export const typeName = (order) => TYPES[order.orderType] ?? nameOf(order.orderType);

/** Return the thing that a live order waits for, or the status of another. */
export function waitsFor(order) {
  if (!isLive(order)) return nameOf(order.status);
  if (order.matchedAt) return "Its fill";
  return WAITS[order.waitingFor] ?? "A worker";
}

/** Return the sentence about the thing that an order waits for. */
export function waitsSentence(order) {
  const [side, beyond] = order.side === "BUY" ? ["the ask is at or below", "below"] : ["the bid is at or above", "above"];
  const crossing = order.side === "BUY" ? "at or above" : "at or below";
  const level = order.price ?? order.protectionPrice;
  if (!isLive(order)) return "";
  if (order.matchedAt) return "The market has traded the order; a worker books the fill.";
  if (order.waitingFor === "price" && level) return `It fills when ${side} ${grouped(level)}, or when a trade is ${beyond} it.`;
  if (order.waitingFor === "trigger") return `It is triggered by a last price ${crossing} ${grouped(order.triggerPrice)}.`;
  if (order.waitingFor === "quote") return "It waits for a quote that is new enough and has the side that it needs.";
  if (order.waitingFor === "session") return "It is sent to the market when the session opens.";
  return "It waits for a worker.";
}

/**
 * Return the milliseconds for which an order rested in the market, or null.
 *
 * `matchedAt` is set only if the market traded an order at rest. One that ended without a fill rested until then.
 */
export function restedFor(order) {
  if (order.matchedAt) return millisecondsBetween(order.placedAt, order.matchedAt);
  const hasEnded = order.fillModel === "QUOTES" && (order.status === "CANCELLED" || order.status === "EXPIRED");
  return hasEnded && order.validity !== "IOC" ? millisecondsBetween(order.placedAt, order.updatedAt) : null;
}

/** Return the time for which an order rested as text: "rested 12 s", or an empty text. */
export function restedText(order) {
  const rested = restedFor(order);
  return rested === null ? "" : `rested ${rested < 1000 ? duration(rested) : ageText(rested)}`;
}

/** Return the milliseconds that an order's execution took: from its match if it rested, else from its acceptance. */
export function executionOf(order) {
  return order.executedAt ? millisecondsBetween(order.matchedAt ?? order.placedAt, order.executedAt) : null;
}

/** Return the price of an order as text: its limit, or "Market". */
export const limitText = (order) => (order.price === null ? "Market" : grouped(order.price));

/** Return when a live order expires. */
export function expiryText(order) {
  if (order.expiresAt) return dayAndClock(order.expiresAt);
  return order.validity === "GTC" ? "Never" : NOTHING;
}

/** Return an order's validity in words. */
export function validityText(order) {
  return order.validity === "TTL" ? `For ${order.validityMinutes} minutes` : (VALIDITIES[order.validity] ?? order.validity);
}

/** Return the reason of an order's end in words, or an empty text. */
export function endText(order) {
  if (order.rejectionReason) return nameOf(order.rejectionReason);
  return order.endReason ? (END_REASONS[order.endReason] ?? nameOf(order.endReason).toLowerCase()) : "";
}

/** Return an order in a few words: "buy 10 RELIANCE at 2,500.00". */
export function inWords(order) {
  const price = order.price === null ? "at market" : `at ${grouped(order.price)}`;
  const trigger = order.triggerPrice ? `, trigger ${grouped(order.triggerPrice)}` : "";
  return `${nameOf(order.side).toLowerCase()} ${grouped(order.quantity)} ${order.symbol} ${price}${trigger}`;
}

/** @file The names on the desk for the API's words. */

import { make } from "./dom.js";

const NAMES = {
  INTRADAY: "Intraday",
  DELIVERY: "Delivery",
  MARKET: "Market",
  LIMIT: "Limit",
  BUY: "Buy",
  SELL: "Sell",
  PENDING: "Pending",
  OPEN: "Open",
  EXECUTED: "Executed",
  CANCELLED: "Cancelled",
  REJECTED: "Rejected",
  EXPIRED: "Expired",
};

/** Return a product's name. */
export const productName = (product) => nameOf(product);

/** Return the name of one of the API's words: "MARGIN_BLOCK" is "Margin block". */
export function nameOf(word) {
  const spaced = String(word).toLowerCase().replaceAll("_", " ");
  return NAMES[word] ?? spaced[0].toUpperCase() + spaced.slice(1);
}

/** Return true for an order that is not final: it waits for a worker or for the market. */
export const isLive = (order) => order.status === "PENDING" || order.status === "OPEN";

/** Show a stock's symbol and exchange in a cell. */
export function instrument(cell, thing) {
  cell.replaceChildren(make("b", { textContent: thing.symbol }), exchangeOf(thing));
}

/** Make a small element with the exchange's name. */
export function exchangeOf(thing) {
  return make("small", { className: "exchange", textContent: ` ${thing.exchange}` });
}

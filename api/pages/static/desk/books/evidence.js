/** @file The sentence that says which quote filled an order, and why. */

import { grouped, hundredths } from "../../common/money.js";
import { clock } from "../../common/time.js";

// How a rule compares a price of the quote with the order's level, for a BUY and a SELL.
const AT_MOST = { BUY: "≤", SELL: "≥" };
const BEYOND = { BUY: "<", SELL: ">" };
const TRIGGERS = { BUY: "≥", SELL: "≤" };
const RESTED = ", at which it rested,";

/** Return the sentence about an executed order's fill, or an empty text for another order. */
export function evidenceSentence(order) {
  if (order.status !== "EXECUTED") return "";
  const price = grouped(order.averagePrice);
  if (!order.fill) return immediate(order, price);
  return `Filled at ${price} because ${REASONS[order.fill.rule](order, order.fill)}${momentOf(order.fill)}.`;
}

const REASONS = {
  first_look: (order, fill) => `${triggered(order, fill)}${sideOf(order, fill)} ${AT_MOST[order.side]} ${levelOf(order)}`,
  book: (order, fill) => `${sideOf(order, fill)} ${AT_MOST[order.side]} ${levelOf(order)}${RESTED}`,
  trade_through: (order, fill) => `a trade at ${grouped(fill.last)} ${BEYOND[order.side]} ${levelOf(order)}${RESTED}`,
  touch: (order, fill) => `a trade at ${grouped(fill.last)} touched ${levelOf(order)}${RESTED}`,
  market: (order, fill) => `${kindOf(order)} takes ${sideOf(order, fill)}${cap(order)}`,
  stop: (order, fill) => `${crossing(order, fill)}, and a stop takes ${sideOf(order, fill)}${cap(order)}`,
  close_price: () => "no usable quote came before the close, and this is the day's closing price",
};

/** Return the price of the quote that a side trades against: the ask for a BUY; without any book the last price. */
function sideOf(order, fill) {
  const name = order.side === "BUY" ? "ask" : "bid";
  if (fill.bid === null && fill.ask === null) return `last ${grouped(fill.last)} (the quote has no book)`;
  return `${name} ${grouped(fill[name])}`;
}

function levelOf(order) {
  if (order.price !== null) return `limit ${grouped(order.price)}`;
  return order.protectionPrice ? `protection price ${grouped(order.protectionPrice)}` : "its price";
}

/** Return the words about a stop that the filling quote, or one before it, has triggered. */
function triggered(order, fill) {
  if (!order.triggerPrice) return "";
  const [last, trigger] = [fill.last, order.triggerPrice];
  const crosses = last !== null && (order.side === "BUY" ? atLeast(last, trigger) : atLeast(trigger, last));
  if (!crosses) return `its trigger ${grouped(trigger)} had been reached and `;
  return `${crossing(order, fill)} and `;
}

function crossing(order, fill) {
  return `last ${grouped(fill.last)} ${TRIGGERS[order.side]} trigger ${grouped(order.triggerPrice)}`;
}

const atLeast = (left, right) => hundredths(left) >= hundredths(right);

function kindOf(order) {
  return order.orderType === "STOP_MARKET" ? "a triggered stop" : "a market order";
}

function cap(order) {
  return order.protectionPrice ? `, no worse than ${grouped(order.protectionPrice)},` : "";
}

function momentOf(fill) {
  const quote = fill.quoteNumber === null || fill.quoteNumber === undefined ? "" : `, quote ${grouped(fill.quoteNumber)}`;
  return fill.quotedAt ? ` at ${clock(fill.quotedAt)} IST${quote}` : quote;
}

function immediate(order, price) {
  const own = order.price !== null ? "its own price" : "the last price of its placement";
  return `Filled at ${price} because the account fills orders at once, at ${own}; no quote decides.`;
}

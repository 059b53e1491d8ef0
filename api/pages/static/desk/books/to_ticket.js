/** @file Ways from a row of the books to the order ticket. */

import { byId } from "../../common/dom.js";

const TERMS = [
  ...["exchange", "symbol", "side", "quantity", "orderType", "price", "triggerPrice", "product"],
  ...["validity", "validityMinutes", "marketProtection", "afterMarket"],
];

/** Fill the ticket with an order's terms. */
export function orderToTicket(order) {
  fill(Object.fromEntries(TERMS.map((name) => [name, order[name]])));
}

/** Fill the ticket with the order that closes a position; without a last price it is a LIMIT order. */
export function positionToTicket(position, quantity = Math.abs(position.quantity)) {
  const { exchange, symbol, product } = position;
  const closing = position.quantity < 0 ? "BUY" : "SELL";
  const orderType = position.lastPrice === null ? "LIMIT" : "MARKET";
  const order = { exchange, symbol, product, orderType, side: closing };
  if (quantity > 0) order.quantity = quantity;
  fill(order);
}

/** Fill the ticket with the sale of a holding. */
export function holdingToTicket({ exchange, symbol, quantity }) {
  fill({ exchange, symbol, side: "SELL", product: "DELIVERY", ...(quantity > 0 ? { quantity } : {}) });
}

async function fill(order) {
  const { fillTicket } = await import("../ticket/ticket.js");
  // The ticket starts after the tables have been painted, and is inert until then.
  while (byId("ticket").closest("[inert]")) await new Promise(requestAnimationFrame);
  fillTicket(order);
}

/** @file Ways from a row of the books to the order ticket. */

import * as ticket from "../ticket/ticket.js";

/** Fill the ticket with an order's terms. */
export function orderToTicket({ exchange, symbol, side, quantity, orderType, price, triggerPrice, product }) {
  fill({ exchange, symbol, side, quantity, orderType, price, triggerPrice, product });
}

/** Fill the ticket with the order that closes a position; without a last price it is a LIMIT order. */
export function positionToTicket(position, quantity = Math.abs(position.quantity)) {
  const { exchange, symbol, product } = position;
  const closing = position.quantity < 0 ? "BUY" : "SELL";
  const order = { exchange, symbol, product, side: closing };
  if (quantity > 0) order.quantity = quantity;
  if (position.lastPrice === null) order.orderType = "LIMIT";
  fill(order);
}

/** Fill the ticket with the sale of a holding. */
export function holdingToTicket({ exchange, symbol, quantity }) {
  fill({ exchange, symbol, side: "SELL", product: "DELIVERY", ...(quantity > 0 ? { quantity } : {}) });
}

function fill(order) {
  ticket.fillTicket?.(order);
}

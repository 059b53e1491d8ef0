/** @file Cells that several tables of the books have. */

import { make } from "../../common/dom.js";
import { clock } from "../../common/time.js";
import { exchangeOf, nameOf } from "../../common/words.js";

/** Show an order's side as a coloured tag. */
export function sideTag(cell, order) {
  cell.replaceChildren(make("span", { className: `side-tag ${order.side.toLowerCase()}`, textContent: nameOf(order.side) }));
}

/** Return a painter that shows an order's symbol as the button that opens its details. */
export function orderSymbol(kind) {
  return (cell, order) => {
    const button = make("button", { type: "button", className: "link", textContent: order.symbol });
    button.setAttribute("aria-label", `${order.symbol}: details of this ${kind} of ${clock(order.placedAt)}`);
    button.onclick = async () => (await import("./order_detail.js")).openDetail(order);
    cell.replaceChildren(button, exchangeOf(order));
  };
}

/** Show a stock's symbol as a button that fills the ticket. */
export function tradedSymbol(fill) {
  return (cell, thing) => {
    const button = make("button", { type: "button", className: "link", textContent: thing.symbol });
    const name = `${thing.symbol} ${thing.product ? nameOf(thing.product) : "holding"}`;
    button.setAttribute("aria-label", `${name}: fill the ticket`);
    button.onclick = () => fill(cell);
    cell.replaceChildren(button, exchangeOf(thing));
  };
}

/** @file Announce each fill: side, quantity, symbol, price and the net profit that it realised, with a tone if wanted. */

import { byId, make } from "../../common/dom.js";
import { get } from "../../common/http.js";
import { fromHundredths, grouped, hundredths, signed, toneOf } from "../../common/money.js";
import { openDetail } from "../books/order_detail.js";
import { Sound } from "./sound.js";

const SHOWN_MS = 12_000;
// So many of one burst are announced one by one, the rest by their number.
const SINGLY = 3;

/** Announce the orders that an event has made EXECUTED. */
export function announceFills(store) {
  const sound = new Sound(byId("sound"));
  store.on(["fills"], (orders) => {
    if (!orders?.length) return;
    orders.slice(0, SINGLY).forEach(announce);
    if (orders.length > SINGLY) show(make("p", { textContent: `${orders.length - SINGLY} more orders were filled.` }));
    sound.play(orders[0].side);
  });
}

async function announce(order) {
  const profit = await profitOf(order);
  const text = `${order.side === "BUY" ? "Bought" : "Sold"} ${grouped(order.filledQuantity)} ${order.symbol}`;
  const button = make("button", { type: "button", className: "link", textContent: text });
  button.setAttribute("aria-label", `${text}: details of this fill`);
  button.onclick = () => openDetail(order);
  const line = make("p", { className: order.side.toLowerCase() }, button, ` at ${grouped(order.averagePrice)}`);
  if (profit !== null) {
    line.append(" · ", make("b", { className: toneOf(profit), textContent: signed(profit) }), " net of charges");
  }
  show(line);
}

/** Return the profit that an order realised by closing, less its charges; null if it closed nothing or without an answer. */
async function profitOf({ orderId }) {
  const order = await get(`/api/trading/orders/${orderId}`).catch(() => null);
  const closings = (order?.transactions ?? []).filter((row) => row.kind === "PROFIT" || row.kind === "LOSS");
  if (closings.length === 0) return null;
  const sum = closings.reduce((total, { kind, amount }) => total + (kind === "LOSS" ? -1n : 1n) * hundredths(amount), 0n);
  return fromHundredths(sum - hundredths(order.charges));
}

function show(line) {
  const list = byId("fills");
  list.append(line);
  while (list.children.length > SINGLY + 1) list.firstChild.remove();
  setTimeout(() => line.remove(), SHOWN_MS);
}

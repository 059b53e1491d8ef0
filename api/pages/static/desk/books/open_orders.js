/** @file The table of live orders: their distance to the market, the thing each waits for, their change and their end. */

import { byId, make, notify, setText } from "../../common/dom.js";
import { send } from "../../common/http.js";
import { NOTHING, grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { mayTrade } from "../../common/session.js";
import { Table } from "../../common/table.js";
import { bothClocks } from "../../common/time.js";
import { isLive, nameOf } from "../../common/words.js";
import { orderSymbol, sideTag } from "./cells.js";
import { distanceText } from "./distance.js";
import { onTicks, quoteOf } from "./live.js";
import { keyOf } from "../store.js";
import { Editors } from "./editors.js";
import { expiryText, inWords, limitText, typeName, waitsFor, waitsSentence } from "./order_words.js";
import { orderToTicket } from "./to_ticket.js";
import { askTwice } from "../../common/two_step.js";

const cancelling = new Set();

/** Show the table of open orders, and update it as orders and quotes change. */
export function showOpenOrders(store) {
  const editors = new Editors({ store, changed: (order) => table.update([order]) });
  const table = new Table(byId("open-orders"), columnsFor(store, editors, () => table), {
    keyOf: (order) => order.orderId,
    classOf: (order) => (isLive(order) ? "" : "is-final"),
    formerly: (orderId) => store.orders.get(orderId),
    pressed: orderToTicket,
  });
  const show = () => {
    const live = store.newestOrders().filter(isLive);
    table.show(live);
    editors.keep(new Set(live.map((order) => order.orderId)));
    setText(byId("open-orders-count"), String(live.length));
    byId("open-orders-empty").hidden = table.size > 0;
  };
  store.on(["orders"], show);
  const isTicked = (keys) => (order) => isLive(order) && keys.has(keyOf(order));
  onTicks(store, (keys) => table.update([...store.orders.values()].filter(isTicked(keys))));
}

function columnsFor(store, editors, table) {
  const repaint = (order) => table().update([store.orders.get(order.orderId) ?? order]);
  const lastOf = (order) => grouped(quoteOf(store, order)?.lastPrice ?? null);
  return [
    { name: "side", value: (order) => order.side, paint: sideTag, isSized: false },
    { name: "symbol", value: (order) => `${order.symbol} ${order.exchange}`, paint: orderSymbol("open order") },
    { name: "type", label: "Type", value: (order) => `${typeName(order)} · ${nameOf(order.product)}` },
    { name: "quantity", label: "Quantity", value: (order) => grouped(order.quantity) },
    { name: "price", label: "Limit", value: limitText },
    { name: "trigger", label: "Trigger", value: triggerText },
    { name: "last", label: "Last", value: lastOf, tone: (order) => ageTone(store, order) },
    { name: "distance", label: "Distance", value: (order) => distanceText(order, quoteOf(store, order)) },
    { name: "waits", label: "Waits for", value: waitsFor, paint: paintWaits },
    { name: "expires", label: "Expires", value: expiryText, paint: paintExpiry },
    {
      name: "action",
      value: actionOf,
      paint: (cell, order) => paintActions(cell, order, { editors, repaint }),
      isSized: false,
    },
    {
      name: "editor",
      value: (order) => editors.stateOf(order),
      paint: (cell, order) => editors.paint(cell, order),
      isSized: false,
    },
  ];
}

const triggerText = (order) => (order.triggerPrice ? `${grouped(order.triggerPrice)}${order.triggeredAt ? " ✓" : ""}` : NOTHING);

/** Return the class of a price whose quote is old. */
export function ageTone(store, thing) {
  return store.ageOf(keyOf(thing)) ? "is-old" : "";
}

function paintWaits(cell, order) {
  setText(cell, waitsFor(order));
  cell.title = waitsSentence(order);
}

function paintExpiry(cell, order) {
  setText(cell, expiryText(order));
  cell.title = order.expiresAt ? bothClocks(order.expiresAt) : "";
}

function actionOf(order) {
  if (!isLive(order) || !mayTrade()) return "";
  if (order.matchedAt) return "matched";
  return cancelling.has(order.orderId) ? "cancelling" : `open ${order.quantity} ${order.price} ${order.orderType}`;
}

function paintActions(cell, order, tools) {
  const state = actionOf(order);
  if (state === "" || state === "matched") return cell.replaceChildren();
  if (!cell.firstChild) cell.append(...makeActions(order.orderId, tools));
  for (const button of cell.children) button.setAttribute("aria-disabled", String(state === "cancelling"));
  cell.firstChild.setAttribute("aria-label", `Modify ${nameOf(order.side)} ${order.quantity} ${order.symbol}`);
  cell.lastChild.refresh();
  return undefined;
}

function makeActions(orderId, { editors, repaint }) {
  const current = () => editors.store.orders.get(orderId);
  const modify = make("button", { type: "button", className: "quiet", textContent: "Modify" });
  modify.onclick = () => editors.toggle(current(), modify);
  const button = make("button", { type: "button", className: "quiet two-step" });
  const words = () => cancelWords(current());
  return [modify, askTwice(button, { words, act: () => cancel(current(), repaint) })];
}

function cancelWords(order) {
  return {
    calm: "Cancel",
    armed: "Sure?",
    label: `Cancel ${nameOf(order.side)} ${order.quantity} ${order.symbol}`,
    question: `Press again to cancel: ${inWords(order)}.`,
  };
}

async function cancel(order, repaint) {
  cancelling.add(order.orderId);
  repaint(order);
  try {
    await send("DELETE", `/api/trading/orders/${order.orderId}`);
    notify(`Cancelled: ${inWords(order)}.`);
  } catch (error) {
    notify(`${order.symbol} was not cancelled. ${sentenceOf(error)}`, "problem");
  } finally {
    cancelling.delete(order.orderId);
    repaint(order);
  }
}

/** @file The table of live orders: their distance to the market, the thing each waits for, their change and their end. */

import { byId, make, notify, setText } from "../../common/dom.js";
import { send } from "../../common/http.js";
import { NOTHING, grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { mayTrade } from "../../common/session.js";
import { Sorting } from "../../common/sorting.js";
import { Table } from "../../common/table.js";
import { ownTime } from "../../common/time.js";
import { isLive, nameOf } from "../../common/words.js";
import { orderSymbol, sideTag } from "./cells.js";
import { distanceOf, distanceText } from "./distance.js";
import { ageTitle, ageTone, lastColumn, numberOf } from "./last_price.js";
import { onTicks, quoteOf } from "./live.js";
import { keyOf } from "../store.js";
import { Editors } from "./editors.js";
import { SymbolFilter, countText } from "./order_filters.js";
import { expiryText, inWords, limitText, typeName, waitsFor, waitsSentence } from "./order_words.js";
import { orderToTicket } from "./to_ticket.js";
import { askTwice } from "../../common/two_step.js";

const cancelling = new Set();

/** Show the table of open orders, and update it as orders and quotes change. */
export function showOpenOrders(store) {
  const editors = new Editors({ store, changed: (order) => table.update([order]) });
  const columns = columnsFor(store, editors, () => table);
  const table = new Table(byId("open-orders"), columns, {
    keyOf: (order) => order.orderId,
    classOf: (order) => (isLive(order) ? "" : "is-final"),
    formerly: (orderId) => store.orders.get(orderId),
    pressed: orderToTicket,
  });
  const asked = () => show({ isAsked: true });
  const filter = new SymbolFilter(byId("open-orders-symbol"), asked);
  const places = { head: byId("open-orders-head"), list: byId("open-orders-sort") };
  const sorting = new Sorting({ ...places, columns, changed: asked });
  const passing = () => sorting.sorted(store.newestOrders().filter((order) => isLive(order) && filter.passes(order)));
  const show = (options) => {
    const live = store.newestOrders().filter(isLive);
    const shown = passing();
    table.show(shown, options);
    editors.keep(new Set(live.map((order) => order.orderId)));
    setText(byId("open-orders-count"), countText(shown.length, live.length));
    byId("open-orders-empty").hidden = table.size > 0;
  };
  byId("open-orders-export").addEventListener("click", async () => {
    const { exportOpenOrders } = await import("./export.js");
    exportOpenOrders(passing());
  });
  store.on(["orders"], () => show());
  const isTicked = (keys) => (order) => isLive(order) && keys.has(keyOf(order));
  onTicks(store, (keys) => table.update([...store.orders.values()].filter(isTicked(keys))));
}

function columnsFor(store, editors, table) {
  const repaint = (order) => table().update([store.orders.get(order.orderId) ?? order]);
  const aged = { tone: (order) => ageTone(store, order), title: (order) => ageTitle(store, order) };
  const wayOf = (order) => distanceOf(order, quoteOf(store, order))?.way ?? null;
  return [
    { name: "side", value: (order) => order.side, paint: sideTag, sortBy: (order) => order.side, isSized: false },
    {
      name: "symbol",
      value: (order) => `${order.symbol} ${order.exchange}`,
      paint: orderSymbol("open order"),
      sortBy: (order) => order.symbol,
    },
    { name: "type", label: "Type", value: (order) => `${typeName(order)} · ${nameOf(order.product)}`, sortBy: typeName },
    { name: "quantity", label: "Quantity", value: (order) => grouped(order.quantity), sortBy: (order) => order.quantity },
    { name: "price", label: "Limit", value: limitText, sortBy: (order) => numberOf(order.price) },
    { name: "trigger", label: "Trigger", value: triggerText, sortBy: (order) => numberOf(order.triggerPrice) },
    lastColumn(store, (order) => quoteOf(store, order)?.lastPrice ?? null),
    { name: "distance", label: "Distance", value: (order) => distanceText(order, quoteOf(store, order)), ...aged, sortBy: wayOf },
    { name: "waits", label: "Waits for", value: waitsFor, paint: paintWaits, sortBy: waitsFor },
    { name: "expires", label: "Expires (IST)", value: expiryText, paint: paintExpiry, sortBy: (order) => order.expiresAt },
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

function paintWaits(cell, order) {
  setText(cell, waitsFor(order));
  cell.title = waitsSentence(order);
}

function paintExpiry(cell, order) {
  setText(cell, expiryText(order));
  cell.title = order.expiresAt ? ownTime(order.expiresAt) : "";
}

function actionOf(order) {
  // The server's square-off refuses changes by its client.
  if (!isLive(order) || !mayTrade() || order.origin === "SQUARE_OFF") return "";
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

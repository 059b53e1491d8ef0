/** @file The table of all orders, each with its timeline, filtered and sorted, and their export. */

import { byId, make, notify, setText } from "../../common/dom.js";
import { grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { Table } from "../../common/table.js";
import { duration, millisecondsBetween, span } from "../../common/time.js";
import { isLive, nameOf } from "../../common/words.js";
import { orderSymbol, sideTag } from "./cells.js";
import { OrderFilters, passes } from "./order_filters.js";
import { endText, limitText, typeName, waitsFor } from "./order_words.js";
import { Sorting } from "../../common/sorting.js";
import { orderToTicket } from "./to_ticket.js";

const PAGE = 50;
const EMPTY = "No orders yet. Orders appear here as soon as they are placed.";
const NONE_PASSES = "None of the orders that are loaded passes these filters.";

/** Show the table of orders, and update it when the store changes. */
export function showOrders(store, sync) {
  const table = new Table(byId("orders"), COLUMNS, {
    keyOf: (order) => order.orderId,
    classOf: (order) => (isLive(order) ? "is-pending" : ""),
    formerly: (orderId) => store.orders.get(orderId),
    pressed: orderToTicket,
  });
  let limit = PAGE;
  const asked = () => show({ isAsked: true });
  const filters = new OrderFilters(asked);
  const sorting = new Sorting({ head: byId("orders-head"), list: byId("orders-sort"), columns: COLUMNS, changed: asked });
  const show = (options) => {
    const chosen = filters.chosen();
    const orders = store.newestOrders().filter((order) => passes(order, chosen));
    table.show(sorting.sorted(orders).slice(0, limit), options);
    setText(byId("orders-count"), countText(orders.length, store.orders.size, sync.hasOlderOrders));
    setText(byId("orders-empty"), store.orders.size ? NONE_PASSES : EMPTY);
    byId("orders-empty").hidden = table.size > 0;
    byId("orders-older").hidden = !(orders.length > limit || sync.hasOlderOrders);
  };
  store.on(["orders"], () => show());
  byId("orders-older").addEventListener("click", async () => {
    limit += PAGE;
    await readOlder(store, sync, { enough: () => countPassing(store, filters) >= limit });
    asked();
  });
  byId("orders-export").addEventListener("click", async ({ currentTarget: button }) => {
    const { exportOrStop } = await import("./export.js");
    exportOrStop({ button, store, chosen: filters.chosen() });
  });
}

/** Read pages of older orders until enough pass the filters, at most 10 at once. */
async function readOlder(store, sync, { enough }) {
  try {
    for (let page = 0; page < 10 && sync.hasOlderOrders && !enough(); page += 1) await sync.readOlderOrders();
  } catch (error) {
    notify(sentenceOf(error), "problem");
  }
}

function countPassing(store, filters) {
  const chosen = filters.chosen();
  return [...store.orders.values()].filter((order) => passes(order, chosen)).length;
}

/** Return the number of orders: "12", "12 of 50+". */
function countText(passing, loaded, hasOlder) {
  const all = `${loaded}${hasOlder ? "+" : ""}`;
  return passing === loaded ? all : `${passing} of ${all}`;
}

const number = (text) => (text === null || text === undefined ? null : Number(text));

const COLUMNS = [
  { name: "side", value: (order) => order.side, paint: sideTag, sortBy: (order) => order.side, isSized: false },
  { name: "symbol", value: (order) => `${order.symbol} ${order.exchange}`, paint: orderSymbol("order"), sortBy: (order) => order.symbol },
  { name: "product", label: "Type", value: (order) => `${typeName(order)} · ${nameOf(order.product)}`, sortBy: typeName },
  {
    name: "quantity",
    label: "Filled",
    value: (order) => `${grouped(order.filledQuantity)}/${grouped(order.quantity)}`,
    sortBy: (order) => order.quantity,
  },
  { name: "price", label: "Price", value: limitText, sortBy: (order) => number(order.price) },
  { name: "trigger", label: "Trigger", value: (order) => grouped(order.triggerPrice), sortBy: (order) => number(order.triggerPrice) },
  { name: "average", label: "Average", value: (order) => grouped(order.averagePrice), sortBy: (order) => number(order.averagePrice) },
  { name: "status", label: "Status", value: statusOf, paint: paintStatus, sortBy: (order) => order.status, flash: true },
  { name: "timeline", label: "Accepted → final", value: timelineOf, sortBy: (order) => order.placedAt },
  { name: "took", label: "Took", value: tookText, sortBy: tookOf },
];

/** Return when an order reached its final state, or null. */
function finalAt(order) {
  return isLive(order) ? null : (order.executedAt ?? order.updatedAt);
}

function timelineOf(order) {
  return span(order.placedAt, finalAt(order));
}

function tookOf(order) {
  const end = finalAt(order);
  return end ? millisecondsBetween(order.placedAt, end) : null;
}

function tookText(order) {
  const took = tookOf(order);
  return took === null ? "" : duration(took);
}

/** Return the status with the reason of it, or the thing that the order waits for. */
function statusOf(order) {
  return `${nameOf(order.status)} ${reasonOf(order)}`;
}

function reasonOf(order) {
  if (!isLive(order)) return order.endReason === "client" ? "" : endText(order);
  return order.status === "OPEN" || order.waitingFor ? `Waits for ${lowered(waitsFor(order))}` : "";
}

const lowered = (text) => text[0].toLowerCase() + text.slice(1);

function paintStatus(cell, order) {
  const badge = make("span", { className: `state ${order.status.toLowerCase()}`, textContent: nameOf(order.status) });
  cell.replaceChildren(badge);
  const reason = reasonOf(order);
  if (reason) cell.append(make("small", { className: `reason${isLive(order) ? " muted" : ""}`, textContent: reason }));
}

/** @file The table of all orders, each with its timeline, filtered and sorted, and their export. */

import { byId, make, notify, setText } from "../../common/dom.js";
import { grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { Sorting } from "../../common/sorting.js";
import { Table } from "../../common/table.js";
import { duration, millisecondsBetween, ownTime, span } from "../../common/time.js";
import { isLive, nameOf } from "../../common/words.js";
import { orderSymbol, sideTag } from "./cells.js";
import { numberOf } from "./last_price.js";
import { OrderFilters, passes } from "./order_filters.js";
import { endText, executionOf, limitText, restedText, typeName, waitsFor } from "./order_words.js";
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
    setText(byId("orders-count"), ordersCount(orders.length, store.orders.size, sync.hasOlderOrders));
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
function ordersCount(passing, loaded, hasOlder) {
  const all = `${loaded}${hasOlder ? "+" : ""}`;
  return passing === loaded ? all : `${passing} of ${all}`;
}

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
  { name: "price", label: "Price", value: limitText, sortBy: (order) => numberOf(order.price) },
  { name: "trigger", label: "Trigger", value: (order) => grouped(order.triggerPrice), sortBy: (order) => numberOf(order.triggerPrice) },
  { name: "average", label: "Average", value: (order) => grouped(order.averagePrice), sortBy: (order) => numberOf(order.averagePrice) },
  { name: "status", label: "Status", value: statusOf, paint: paintStatus, sortBy: (order) => order.status, flash: true },
  {
    name: "timeline",
    label: "Accepted → final (IST)",
    value: (order) => `${timelineOf(order)} ${restedText(order)}`,
    paint: paintTimeline,
    sizeOf: timelineOf,
    title: (order) => ownTime(order.placedAt),
    sortBy: (order) => order.placedAt,
  },
  { name: "took", label: "Took", value: tookText, paint: paintTook, sizeOf: tookSize, sortBy: tookOf },
];

/** Return when an order reached its final state, or null. */
function finalAt(order) {
  return isLive(order) ? null : (order.executedAt ?? order.updatedAt);
}

function timelineOf(order) {
  return span(order.placedAt, finalAt(order));
}

function paintTimeline(cell, order) {
  cell.replaceChildren(timelineOf(order), ...small(restedText(order)));
}

/** Return the milliseconds of the execution; of an order that ended without one and did not rest, those until its end. */
function tookOf(order) {
  const end = finalAt(order);
  if (!end || order.executedAt || restedText(order)) return executionOf(order);
  return millisecondsBetween(order.placedAt, end);
}

function tookText(order) {
  const took = tookOf(order);
  return [took === null ? "" : duration(took), restedText(order)].filter(Boolean).join(" ");
}

/** Show the time of the execution, and below it the time for which the order rested. */
function paintTook(cell, order) {
  const took = tookOf(order);
  cell.replaceChildren(took === null ? "" : duration(took), ...small(restedText(order)));
  cell.title = took !== null && order.matchedAt ? "From the market's trade to the execution." : "";
}

/** Return the longer of the cell's two texts. */
function tookSize(order) {
  const execution = duration(tookOf(order) ?? 0);
  return restedText(order).length > execution.length ? restedText(order) : execution;
}

const small = (text) => (text ? [make("small", { className: "rested", textContent: text })] : []);

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

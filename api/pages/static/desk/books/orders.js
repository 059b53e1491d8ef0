/** @file The table of orders, each with its timeline, updated as events come. */

import { byId, make, notify, setText } from "../../common/dom.js";
import { send } from "../../common/http.js";
import { grouped } from "../../common/money.js";
import { openDetail } from "./order_detail.js";
import { sentenceOf } from "../../common/problems.js";
import { Table } from "../../common/table.js";
import { duration, millisecondsBetween, span } from "../../common/time.js";
import { exchangeOf, isLive, nameOf } from "../../common/words.js";

const PAGE = 50;

/** Show the table of orders, and update it when the store changes. */
export function showOrders(store, sync) {
  const table = new Table(byId("orders"), COLUMNS, {
    keyOf: (order) => order.orderId,
    classOf: (order) => (isLive(order) ? "is-pending" : ""),
  });
  let limit = PAGE;
  const show = () => {
    const onlyPending = byId("only-pending").checked;
    const orders = store.newestOrders().filter((order) => !onlyPending || isLive(order));
    table.show(orders.slice(0, limit));
    setText(byId("orders-count"), `${store.orders.size}${sync.hasOlderOrders ? "+" : ""}`);
    setText(byId("orders-empty"), onlyPending && store.orders.size ? "No live orders." : EMPTY);
    byId("orders-empty").hidden = orders.length > 0;
    byId("orders-older").hidden = onlyPending || !(orders.length > limit || sync.hasOlderOrders);
  };
  store.on(["orders"], show);
  byId("only-pending").addEventListener("change", show);
  byId("orders-older").addEventListener("click", async () => {
    limit += PAGE;
    try {
      if (store.orders.size < limit && sync.hasOlderOrders) await sync.readOlderOrders();
    } catch (error) {
      notify(sentenceOf(error), "problem");
    }
    show();
  });
}

const EMPTY = "No orders yet. Orders appear here as soon as they are placed.";

const COLUMNS = [
  { name: "side", value: (order) => order.side, paint: paintSide },
  { name: "symbol", value: (order) => `${order.symbol} ${order.exchange}`, paint: paintSymbol },
  { name: "product", label: "Product", value: (order) => nameOf(order.product) },
  { name: "quantity", label: "Filled", value: (order) => `${grouped(order.filledQuantity)}/${grouped(order.quantity)}` },
  { name: "price", label: "Price", value: priceText },
  { name: "average", label: "Average", value: (order) => grouped(order.averagePrice) },
  { name: "status", label: "Status", value: (order) => `${order.status} ${order.waitingFor ?? ""}`, paint: paintStatus, flash: true },
  { name: "timeline", label: "Accepted → final", value: timelineOf },
  { name: "took", label: "Took", value: tookText },
  { name: "action", value: (order) => (isLive(order) ? "cancel" : ""), paint: paintAction },
];

const WAITS = {
  price: "Waits for its price",
  trigger: "Waits for its trigger",
  quote: "Waits for a quote",
  session: "Waits for the market to open",
};

/** Return an order's price, and for a stop also its trigger. */
function priceText(order) {
  const price = order.price === null ? "Market" : grouped(order.price);
  return order.triggerPrice ? `${price} (trigger ${grouped(order.triggerPrice)})` : price;
}

/** Return when an order reached its final state, or null. */
function finalAt(order) {
  return isLive(order) ? null : (order.executedAt ?? order.updatedAt);
}

function timelineOf(order) {
  return span(order.placedAt, finalAt(order));
}

function tookText(order) {
  const end = finalAt(order);
  return end ? duration(millisecondsBetween(order.placedAt, end)) : "";
}

function paintSide(cell, order) {
  cell.replaceChildren(make("span", { className: `side-tag ${order.side.toLowerCase()}`, textContent: nameOf(order.side) }));
}

function paintSymbol(cell, order) {
  const button = make("button", { type: "button", className: "link", textContent: order.symbol });
  button.setAttribute("aria-label", `${order.symbol}: details of this order`);
  button.onclick = () => openDetail(order.orderId);
  cell.replaceChildren(button, exchangeOf(order));
}

function paintStatus(cell, order) {
  const badge = make("span", { className: `state ${order.status.toLowerCase()}`, textContent: nameOf(order.status) });
  cell.replaceChildren(badge);
  const reason = order.rejectionReason ? nameOf(order.rejectionReason) : WAITS[order.waitingFor];
  if (reason) cell.append(make("small", { className: "reason", textContent: reason }));
}

function paintAction(cell, order) {
  if (!isLive(order)) return cell.replaceChildren();
  const button = make("button", { type: "button", className: "quiet", textContent: "Cancel" });
  button.setAttribute("aria-label", `Cancel ${nameOf(order.side)} ${order.quantity} ${order.symbol}`);
  button.onclick = () => cancel(order, button);
  return cell.replaceChildren(button);
}

async function cancel(order, button) {
  button.setAttribute("aria-disabled", "true");
  try {
    await send("DELETE", `/api/trading/orders/${order.orderId}`);
    notify(`Cancelled ${nameOf(order.side).toLowerCase()} ${order.quantity} ${order.symbol}.`);
  } catch (error) {
    button.removeAttribute("aria-disabled");
    notify(`${order.symbol} was not cancelled. ${sentenceOf(error)}`, "problem");
  }
}

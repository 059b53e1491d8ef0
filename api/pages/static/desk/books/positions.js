/** @file The table of positions with their current profit, and a button to close each. */

import { byId, make, notify, setText } from "../../common/dom.js";
import { send } from "../../common/http.js";
import { MINUS, NOTHING, grouped, signed, toneOf } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { Table } from "../../common/table.js";
import { instrument, productName } from "../../common/words.js";

const closing = new Set();

/** Show the table of positions, and update it when the store changes. */
export function showPositions(store) {
  const table = new Table(byId("positions"), columnsFor(() => show()), {
    keyOf: (position) => position.positionId,
    classOf: (position) => (position.quantity === 0 ? "is-final" : ""),
  });
  const show = () => {
    const all = [...store.positions.values()].sort(openFirst);
    const open = all.filter((position) => position.quantity !== 0);
    table.show(byId("show-flat").checked ? all : open);
    setText(byId("positions-count"), String(open.length));
    byId("positions-empty").hidden = table.rows.size > 0;
  };
  store.on(["positions"], show);
  byId("show-flat").addEventListener("change", show);
}

function openFirst(left, right) {
  const isOpen = (position) => Number(position.quantity !== 0);
  return isOpen(right) - isOpen(left) || (left.positionId < right.positionId ? 1 : -1);
}

function columnsFor(changed) {
  return [
    { name: "symbol", value: (position) => `${position.symbol} ${position.exchange}`, paint: instrument },
    { name: "product", label: "Product", value: (position) => productName(position.product) },
    { name: "quantity", label: "Quantity", value: quantityOf },
    { name: "average", label: "Average", value: (position) => grouped(position.averagePrice) },
    { name: "last", label: "Last", value: (position) => grouped(position.lastPrice), flash: true },
    { name: "margin", label: "Margin", value: (position) => grouped(position.blockedMargin) },
    { name: "unrealized", label: "Unrealised", value: unrealizedOf, paint: toned(unrealizedAmount) },
    {
      name: "realized",
      label: "Realised",
      value: (position) => signed(position.realizedPnl),
      paint: toned((position) => position.realizedPnl),
    },
    { name: "action", value: actionOf, paint: (cell, position) => paintAction(cell, position, changed) },
  ];
}

function quantityOf(position) {
  const size = grouped(Math.abs(position.quantity));
  if (position.quantity === 0) return "Flat";
  return position.quantity < 0 ? `${MINUS}${size}` : `+${size}`;
}

function unrealizedAmount(position) {
  return position.quantity === 0 ? null : position.unrealizedPnl;
}

function unrealizedOf(position) {
  return position.quantity === 0 ? NOTHING : signed(position.unrealizedPnl);
}

/** Paint an amount in the colour of a gain or a loss. */
function toned(amountOf) {
  return (cell, position) => {
    const amount = amountOf(position);
    const text = make("span", { className: toneOf(amount), textContent: signed(amount) });
    cell.replaceChildren(text);
  };
}

function actionOf(position) {
  if (position.quantity === 0) return "";
  return closing.has(position.positionId) ? "closing" : "close";
}

function paintAction(cell, position, changed) {
  const state = actionOf(position);
  if (!state) return cell.replaceChildren();
  const button = cell.querySelector("button") ?? make("button", { type: "button", className: "quiet" });
  button.setAttribute("aria-label", `Close ${position.symbol} ${productName(position.product)}`);
  button.setAttribute("aria-disabled", String(state === "closing"));
  button.textContent = state === "closing" ? "Closing" : "Close";
  button.onclick = () => state === "close" && close(position, changed);
  if (!button.isConnected) cell.replaceChildren(button);
  return undefined;
}

async function close(position, changed) {
  closing.add(position.positionId);
  changed();
  try {
    const path = `/api/trading/positions/${position.positionId}/close`;
    const placement = await send("POST", path, { headers: { "Idempotency-Key": crypto.randomUUID() } });
    notify(`Closing ${position.symbol}: ${placement.order.side} ${placement.order.quantity} at market.`);
  } catch (error) {
    notify(`${position.symbol} was not closed. ${sentenceOf(error)}`, "problem");
  } finally {
    closing.delete(position.positionId);
    changed();
  }
}

/** @file The table of positions with their profit at the present price, and a two-step button to close each. */

import { byId, setText } from "../../common/dom.js";
import { MINUS, difference, grouped, signed, toneOf } from "../../common/money.js";
import { Table } from "../../common/table.js";
import { productName } from "../../common/words.js";
import { tradedSymbol } from "./cells.js";
import { closingState, paintClosing } from "./close.js";
import { DayCharges } from "./day_charges.js";
import { atPresentPrice, lastPriceOf, onProfit, onTicks, sumOf, unrealizedOf } from "./live.js";
import { keyOf } from "../store.js";
import { ageTone } from "./open_orders.js";
import { positionToTicket } from "./to_ticket.js";
import { showTotals } from "./totals.js";

/** Show the table of positions, and update it when positions, quotes or the day's charges change. */
export function showPositions(store) {
  const charges = new DayCharges(store, () => refresh());
  const table = new Table(byId("positions"), columnsFor(store, charges, () => table), {
    keyOf: (position) => position.positionId,
    classOf: (position) => (position.quantity === 0 ? "is-final" : ""),
    formerly: (positionId) => store.positions.get(positionId),
    pressed: (position) => positionToTicket(position),
  });
  const totals = showTotals(byId("positions-total"), totalsOf);
  const shown = () => {
    const all = [...store.positions.values()].sort(openFirst);
    return byId("show-flat").checked ? all : all.filter(isOpen);
  };
  const show = (options = {}) => {
    table.show(shown(), options);
    setText(byId("positions-count"), String([...store.positions.values()].filter(isOpen).length));
    byId("positions-empty").hidden = table.size > 0;
    byId("positions-total").hidden = store.positions.size === 0;
  };
  const refresh = (keys = null) => {
    table.update([...store.positions.values()].filter((position) => keys === null || keys.has(keyOf(position))));
  };
  store.on(["positions"], () => show());
  onTicks(store, refresh);
  onProfit(store, (profit) => totals(store, profit));
  byId("show-flat").addEventListener("change", () => show({ isAsked: true }));
}

const isOpen = (position) => position.quantity !== 0;

function openFirst(left, right) {
  return Number(isOpen(right)) - Number(isOpen(left)) || (left.positionId < right.positionId ? 1 : -1);
}

function columnsFor(store, charges, table) {
  const unrealized = (position) => unrealizedOf(store, position);
  const net = (position) => netOfDay(store, charges, position);
  return [
    { name: "symbol", value: (position) => `${position.symbol} ${position.exchange}`, paint: symbolOf(store) },
    { name: "product", label: "Product", value: (position) => productName(position.product) },
    { name: "quantity", label: "Quantity", value: quantityOf },
    { name: "average", label: "Average", value: (position) => grouped(position.averagePrice) },
    { name: "last", label: "Last", value: (position) => grouped(lastPriceOf(store, position)), tone: (position) => ageTone(store, position) },
    { name: "margin", label: "Margin", value: (position) => grouped(position.blockedMargin) },
    { name: "unrealized", label: "Unrealised", value: (position) => signed(unrealized(position)), tone: (position) => toneOf(unrealized(position)) },
    { name: "realized", label: "Realised", value: (position) => signed(position.realizedPnl), tone: (position) => toneOf(position.realizedPnl) },
    { name: "charges", label: "Charges today", value: (position) => grouped(charges.of(position.positionId)) },
    { name: "net", label: "Net today", value: (position) => signed(net(position)), tone: (position) => toneOf(net(position)) },
    { name: "action", value: closingState, paint: (cell, position) => paintClosing(cell, position, { store, table }), isSized: false },
  ];
}

function symbolOf(store) {
  return (cell, position) => tradedSymbol(() => positionToTicket(store.positions.get(position.positionId)))(cell, position);
}

function quantityOf(position) {
  const size = grouped(Math.abs(position.quantity));
  if (position.quantity === 0) return "Flat";
  return position.quantity < 0 ? `${MINUS}${size}` : `+${size}`;
}

/** Return a position's profit of the day less its charges of the day, or null without a price that it needs. */
function netOfDay(store, charges, position) {
  const gross = atPresentPrice(store, position, position.dayPnl);
  return gross === null ? null : difference(gross, charges.of(position.positionId));
}

/** Return the totals of all positions, closed ones included. */
function totalsOf(store, { unrealized, net }) {
  const all = [...store.positions.values()];
  return {
    margin: [sumOf(all.map((position) => position.blockedMargin))],
    unrealized: toned(unrealized),
    realized: toned(sumOf(all.map((position) => position.realizedPnl))),
    charges: [store.dayCharges],
    net: toned(net),
  };
}

const toned = (amount) => [amount, toneOf(amount)];

/** @file The table of positions with their profit at the present price, and a two-step button to close each. */

import { byId, setText } from "../../common/dom.js";
import { MINUS, difference, grouped, signed, toneOf } from "../../common/money.js";
import { Sorting } from "../../common/sorting.js";
import { Table } from "../../common/table.js";
import { productName } from "../../common/words.js";
import { tradedSymbol } from "./cells.js";
import { closingState, paintClosing } from "./close.js";
import { DayCharges } from "./day_charges.js";
import { lastColumn, numberOf, pricedTone, pricedTotal } from "./last_price.js";
import { atPresentPrice, lastPriceOf, onProfit, onTicks, sumOf, unrealizedOf } from "./live.js";
import { keyOf } from "../store.js";
import { SymbolFilter, countText } from "./order_filters.js";
import { positionToTicket } from "./to_ticket.js";
import { showTotals } from "./totals.js";

/** Show the table of positions, and update it when positions, quotes or the day's charges change. */
export function showPositions(store) {
  const charges = new DayCharges(store, () => refresh());
  const columns = columnsFor(store, charges, () => table);
  const table = new Table(byId("positions"), columns, {
    keyOf: (position) => position.positionId,
    classOf: (position) => (position.quantity === 0 ? "is-final" : ""),
    formerly: (positionId) => store.positions.get(positionId),
    pressed: (position) => positionToTicket(position),
  });
  const totals = showTotals(byId("positions-total"), totalsOf);
  const asked = () => show({ isAsked: true });
  const filter = new SymbolFilter(byId("positions-symbol"), asked);
  const sorting = new Sorting({ head: byId("positions-head"), list: byId("positions-sort"), columns, changed: asked });
  const shown = () => {
    const all = [...store.positions.values()].sort(openFirst).filter((position) => filter.passes(position));
    return sorting.sorted(byId("show-flat").checked ? all : all.filter(isOpen));
  };
  const show = (options = {}) => {
    table.show(shown(), options);
    const open = [...store.positions.values()].filter(isOpen);
    const passing = open.filter((position) => filter.passes(position));
    setText(byId("positions-count"), countText(passing.length, open.length));
    byId("positions-empty").hidden = table.size > 0;
    byId("positions-total").hidden = store.positions.size === 0;
  };
  const refresh = (keys = null) => {
    table.update([...store.positions.values()].filter((position) => keys === null || keys.has(keyOf(position))));
  };
  store.on(["positions"], () => show());
  onTicks(store, refresh);
  onProfit(store, (profit) => totals(store, charges, profit));
  byId("show-flat").addEventListener("change", asked);
  byId("positions-export").addEventListener("click", async () => {
    const { exportRows } = await import("./export.js");
    exportRows({ noun: "position", rows: shown().map((position) => rowOf(store, charges, position)) });
  });
}

/** Return a position as a row of the file: the figures at the present price. */
function rowOf(store, charges, position) {
  const { positionId, exchange, symbol, product, quantity, averagePrice, blockedMargin, realizedPnl } = position;
  const held = { positionId, exchange, symbol, product, quantity, averagePrice, lastPrice: lastPriceOf(store, position) };
  const profit = { unrealizedPnl: unrealizedOf(store, position), realizedPnl };
  return { ...held, blockedMargin, ...profit, chargesToday: charges.of(positionId), netToday: netOfDay(store, charges, position) };
}

const isOpen = (position) => position.quantity !== 0;

function openFirst(left, right) {
  return Number(isOpen(right)) - Number(isOpen(left)) || (left.positionId < right.positionId ? 1 : -1);
}

function columnsFor(store, charges, table) {
  const unrealized = (position) => unrealizedOf(store, position);
  const net = (position) => netOfDay(store, charges, position);
  return [
    symbolColumn(store),
    { name: "product", label: "Product", value: (position) => productName(position.product), sortBy: (position) => position.product },
    { name: "quantity", label: "Quantity", value: quantityOf, sortBy: (position) => position.quantity },
    amountColumn("average", "Average", (position) => position.averagePrice),
    lastColumn(store, (position) => lastPriceOf(store, position)),
    amountColumn("margin", "Margin", (position) => position.blockedMargin),
    { name: "unrealized", label: "Unrealised", value: (position) => signed(unrealized(position)), ...pricedTone(store, unrealized, isOpen) },
    {
      ...amountColumn("realized", "Realised", (position) => position.realizedPnl),
      value: (position) => signed(position.realizedPnl),
      tone: (position) => toneOf(position.realizedPnl),
    },
    {
      ...amountColumn("charges", "Charges today", (position) => charges.of(position.positionId)),
      title: (position) => charges.reservedSentence(position),
    },
    { name: "net", label: "Net today", value: (position) => signed(net(position)), ...pricedTone(store, net, isOpen) },
    { name: "action", value: closingState, paint: (cell, position) => paintClosing(cell, position, { store, table }), isSized: false },
  ];
}

function symbolColumn(store) {
  const fill = (position) => () => positionToTicket(store.positions.get(position.positionId));
  return {
    name: "symbol",
    value: (position) => `${position.symbol} ${position.exchange}`,
    paint: (cell, position) => tradedSymbol(fill(position))(cell, position),
    sortBy: (position) => position.symbol,
  };
}

/** Return a column of amounts without a sign. */
function amountColumn(name, label, amountOf) {
  return { name, label, value: (position) => grouped(amountOf(position)), sortBy: (position) => numberOf(amountOf(position)) };
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
function totalsOf(store, charges, { unrealized, net }) {
  const all = [...store.positions.values()];
  const open = all.filter(isOpen);
  return {
    margin: [sumOf(all.map((position) => position.blockedMargin))],
    unrealized: pricedTotal(store, unrealized, open),
    realized: toned(sumOf(all.map((position) => position.realizedPnl))),
    charges: [store.dayCharges, undefined, charges.allReservedSentence()],
    net: pricedTotal(store, net, open),
  };
}

const toned = (amount) => [amount, toneOf(amount)];

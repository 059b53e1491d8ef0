/** @file The table of holdings: the delivery shares of earlier days. */

import { byId, setText } from "../../common/dom.js";
import { NOTHING, difference, fromHundredths, grouped, hundredths, signed } from "../../common/money.js";
import { Sorting } from "../../common/sorting.js";
import { Table } from "../../common/table.js";
import { tradedSymbol } from "./cells.js";
import { lastColumn, numberOf, pricedTone, pricedTotal } from "./last_price.js";
import { atPresentPrice, lastPriceOf, onTicks, sumOf } from "./live.js";
import { keyOf } from "../store.js";
import { SymbolFilter, countText } from "./order_filters.js";
import { holdingToTicket } from "./to_ticket.js";
import { showTotals } from "./totals.js";

/** Show the table of holdings, and update it when holdings or quotes change. */
export function showHoldings(store) {
  const columns = columnsFor(store);
  const table = new Table(byId("holdings"), columns, {
    keyOf: (holding) => holding.positionId,
    pressed: holdingToTicket,
  });
  const totals = showTotals(byId("holdings-total"), totalsOf);
  const asked = () => show({ isAsked: true });
  const filter = new SymbolFilter(byId("holdings-symbol"), asked);
  const sorting = new Sorting({ head: byId("holdings-head"), list: byId("holdings-sort"), columns, changed: asked });
  const shown = () => {
    const passing = [...store.holdings.values()].filter((holding) => filter.passes(holding));
    return sorting.sorted(passing.sort((left, right) => (left.symbol < right.symbol ? -1 : 1)));
  };
  const show = (options) => {
    table.show(shown(), options);
    setText(byId("holdings-count"), countText(shown().length, store.holdings.size));
    byId("holdings-empty").hidden = store.holdings.size > 0;
    totals(store);
  };
  store.on(["holdings"], () => show());
  byId("holdings-export").addEventListener("click", async () => {
    const { exportRows } = await import("./export.js");
    exportRows({ noun: "holding", rows: shown().map((holding) => rowOf(store, holding)) });
  });
  onTicks(store, (keys) => {
    table.update([...store.holdings.values()].filter((holding) => keys.has(keyOf(holding))));
    totals(store);
  });
}

/** Return a holding as a row of the file: the figures at the present price. */
function rowOf(store, holding) {
  const { positionId, exchange, symbol, quantity, settledQuantity, t1Quantity, soldToday, averagePrice, previousClose } = holding;
  const shares = { quantity, settledQuantity, t1Quantity, soldToday };
  const prices = { averagePrice, lastPrice: lastPriceOf(store, holding), previousClose };
  const unrealizedPnl = atPresentPrice(store, holding, holding.unrealizedPnl);
  return { positionId, exchange, symbol, ...shares, ...prices, value: valueOf(store, holding), unrealizedPnl };
}

function columnsFor(store) {
  const change = (holding) => changeOf(store, holding);
  const value = (holding) => valueOf(store, holding);
  const unrealized = (holding) => atPresentPrice(store, holding, holding.unrealizedPnl);
  return [
    {
      name: "symbol",
      value: (holding) => `${holding.symbol} ${holding.exchange}`,
      paint: symbolOf(store),
      sortBy: (holding) => holding.symbol,
    },
    countColumn("quantity", "Quantity", (holding) => holding.quantity),
    countColumn("settled", "Settled", (holding) => holding.settledQuantity),
    countColumn("t1", "T1", (holding) => holding.t1Quantity),
    countColumn("sold", "Sold today", (holding) => holding.soldToday),
    countColumn("average", "Average", (holding) => holding.averagePrice),
    lastColumn(store, (holding) => lastPriceOf(store, holding)),
    { name: "change", label: "Day change", value: (holding) => changeText(store, holding), ...pricedTone(store, change) },
    { name: "value", label: "Value", value: (holding) => grouped(value(holding)), sortBy: (holding) => numberOf(value(holding)) },
    { name: "unrealized", label: "Unrealised", value: (holding) => signed(unrealized(holding)), ...pricedTone(store, unrealized) },
  ];
}

function countColumn(name, label, of) {
  return { name, label, value: (holding) => grouped(of(holding)), sortBy: (holding) => numberOf(of(holding)) };
}

function symbolOf(store) {
  return (cell, holding) => tradedSymbol(() => holdingToTicket(store.holdings.get(holding.positionId) ?? holding))(cell, holding);
}

/** Return the change of one share since the previous close. */
function changeOf(store, holding) {
  const last = lastPriceOf(store, holding);
  return last === null || holding.previousClose === null ? null : difference(last, holding.previousClose);
}

function changeText(store, holding) {
  const change = changeOf(store, holding);
  if (change === null) return NOTHING;
  const percent = ((Number(change) * 100) / Number(holding.previousClose)).toFixed(2);
  return `${signed(change)} (${signed(percent)} %)`;
}

function valueOf(store, holding) {
  return times(lastPriceOf(store, holding), holding.quantity);
}

/** Return an amount times a whole number, or null. */
function times(amount, quantity) {
  return amount === null ? null : fromHundredths(hundredths(amount) * BigInt(quantity));
}

function totalsOf(store) {
  const all = [...store.holdings.values()];
  const change = sumOf(all.map((holding) => times(changeOf(store, holding), holding.quantity)));
  const unrealized = sumOf(all.map((holding) => atPresentPrice(store, holding, holding.unrealizedPnl)));
  return {
    change: pricedTotal(store, change, all),
    value: [sumOf(all.map((holding) => valueOf(store, holding)))],
    unrealized: pricedTotal(store, unrealized, all),
  };
}

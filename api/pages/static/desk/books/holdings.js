/** @file The table of holdings: the delivery shares of earlier days. */

import { byId, setText } from "../../common/dom.js";
import { NOTHING, difference, fromHundredths, grouped, hundredths, signed, toneOf } from "../../common/money.js";
import { Table } from "../../common/table.js";
import { tradedSymbol } from "./cells.js";
import { atPresentPrice, lastPriceOf, onTicks, sumOf } from "./live.js";
import { keyOf } from "../store.js";
import { ageTone } from "./open_orders.js";
import { holdingToTicket } from "./to_ticket.js";
import { showTotals } from "./totals.js";

/** Show the table of holdings, and update it when holdings or quotes change. */
export function showHoldings(store) {
  const table = new Table(byId("holdings"), columnsFor(store), {
    keyOf: (holding) => holding.positionId,
    pressed: holdingToTicket,
  });
  const totals = showTotals(byId("holdings-total"), totalsOf);
  store.on(["holdings"], () => {
    const holdings = [...store.holdings.values()].sort((left, right) => (left.symbol < right.symbol ? -1 : 1));
    table.show(holdings);
    setText(byId("holdings-count"), String(holdings.length));
    byId("holdings-empty").hidden = table.size > 0;
    totals(store);
  });
  onTicks(store, (keys) => {
    table.update([...store.holdings.values()].filter((holding) => keys.has(keyOf(holding))));
    totals(store);
  });
}

function columnsFor(store) {
  const unrealized = (holding) => atPresentPrice(store, holding, holding.unrealizedPnl);
  return [
    { name: "symbol", value: (holding) => `${holding.symbol} ${holding.exchange}`, paint: symbolOf(store) },
    { name: "quantity", label: "Quantity", value: (holding) => grouped(holding.quantity) },
    { name: "settled", label: "Settled", value: (holding) => grouped(holding.settledQuantity) },
    { name: "t1", label: "T1", value: (holding) => grouped(holding.t1Quantity) },
    { name: "sold", label: "Sold today", value: (holding) => grouped(holding.soldToday) },
    { name: "average", label: "Average", value: (holding) => grouped(holding.averagePrice) },
    { name: "last", label: "Last", value: (holding) => grouped(lastPriceOf(store, holding)), tone: (holding) => ageTone(store, holding) },
    { name: "change", label: "Day change", value: (holding) => changeText(store, holding), tone: (holding) => toneOf(changeOf(store, holding)) },
    { name: "value", label: "Value", value: (holding) => grouped(valueOf(store, holding)) },
    { name: "unrealized", label: "Unrealised", value: (holding) => signed(unrealized(holding)), tone: (holding) => toneOf(unrealized(holding)) },
  ];
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
    change: [change, toneOf(change)],
    value: [sumOf(all.map((holding) => valueOf(store, holding)))],
    unrealized: [unrealized, toneOf(unrealized)],
  };
}

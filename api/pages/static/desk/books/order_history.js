/** @file The history of one order as a list. */

import { make } from "../../common/dom.js";
import { grouped } from "../../common/money.js";
import { fullClock, ownTime } from "../../common/time.js";
import { nameOf } from "../../common/words.js";

const TITLES = {
  "order.pending": "Accepted",
  "order.open": "Opened in the market",
  "order.modified": "Modified",
  "order.triggered": "Triggered",
  "order.executed": "Executed",
  "order.cancelled": "Cancelled",
  "order.rejected": "Rejected",
  "order.expired": "Expired",
};
// The changes that a person reads, with the words for them; the title says the others.
const CHANGES = {
  quantity: (value) => `quantity ${grouped(value)}`,
  orderType: (value) => `type ${nameOf(value).toLowerCase()}`,
  price: (value) => (value === null ? "at market" : `price ${grouped(value)}`),
  triggerPrice: (value) => value && `trigger ${grouped(value)}`,
  protectionPrice: (value) => value && `protection price ${grouped(value)}`,
  waitingFor: (value) => value && `waits for: ${value}`,
  averagePrice: (value) => `at ${grouped(value)}`,
  fill: (fill) => fill && `by quote ${grouped(fill.quoteNumber)}, ${nameOf(fill.rule).toLowerCase()}`,
  blockedMargin: (value) => `margin ${grouped(value)}`,
  charges: (value) => `charges ${grouped(value)}`,
  rejectionReason: (value) => nameOf(value).toLowerCase(),
  endReason: (value) => nameOf(value).toLowerCase(),
};

/** Make the list of an order's changes, oldest first. */
export function historyList(moments) {
  return make("ol", { className: "history" }, ...moments.map(itemOf));
}

function itemOf(moment) {
  const title = make("b", { textContent: TITLES[moment.type] ?? nameOf(moment.status) });
  const texts = Object.entries(moment.changes ?? {}).map(([name, value]) => CHANGES[name]?.(value)).filter(Boolean);
  const changes = make("span", { textContent: texts.join(", ") });
  return make("li", {}, make("time", { textContent: fullClock(moment.at), title: ownTime(moment.at), dateTime: moment.at }), title, changes);
}

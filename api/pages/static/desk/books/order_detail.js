/** @file The details of one order: its ids, the parts of its charges and its ledger entries. */

import { byId, make, notify } from "../../common/dom.js";
import { get } from "../../common/http.js";
import { amountOf } from "./ledger.js";
import { NOTHING, grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { clock, duration, fullClock, millisecondsBetween } from "../../common/time.js";
import { nameOf } from "../../common/words.js";

/** Read an order and show its details in a dialog. */
export async function openDetail(orderId) {
  try {
    const order = await get(`/api/trading/orders/${orderId}`);
    byId("detail-title").textContent = `${nameOf(order.side)} ${grouped(order.quantity)} ${order.symbol}`;
    byId("detail-body").replaceChildren(facts(order), heading("Charges"), charges(order), heading("Ledger"), moves(order));
    byId("detail").showModal();
  } catch (error) {
    notify(sentenceOf(error), "problem");
  }
}

function facts(order) {
  const took = order.executedAt ? duration(millisecondsBetween(order.placedAt, order.executedAt)) : NOTHING;
  return list([
    ["Status", nameOf(order.status) + (order.rejectionReason ? `: ${nameOf(order.rejectionReason)}` : "")],
    ["Accepted", fullClock(order.placedAt)],
    ["Executed", order.executedAt ? `${clock(order.executedAt)} (${took})` : NOTHING],
    ...(order.fill ? [["Filled by", evidence(order.fill)]] : []),
    ["Margin blocked", grouped(order.blockedMargin)],
    ["Order", order.orderId],
    ["Client order", order.clientOrderId ?? NOTHING],
  ]);
}

/** Return the quote that made a fill, and the rule. */
function evidence(fill) {
  const sides = ["bid", "ask", "last"].map((name) => `${name} ${fill[name] === null ? "none" : grouped(fill[name])}`);
  return `${nameOf(fill.rule)}: ${sides.join(", ")}, quote ${grouped(fill.quoteNumber)} of ${fullClock(fill.quotedAt)}`;
}

function charges(order) {
  const items = Object.entries(order.chargeItems).map(([name, amount]) => [chargeName(name), grouped(amount)]);
  return list([...items, ["Total", grouped(order.charges)]]);
}

function moves(order) {
  return list(order.transactions.map((row) => [`${clock(row.createdAt)} ${nameOf(row.kind)}`, amountOf(row)]));
}

/** Return the name of a part of the charges: "transactionTax" is "Transaction tax". */
export function chargeName(name) {
  if (name === "gst") return "GST";
  const spaced = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return spaced[0].toUpperCase() + spaced.slice(1);
}

/** Make a description list of [term, text] pairs. */
export function list(pairs) {
  const rows = pairs.map(([term, text]) =>
    make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: text })),
  );
  return make("dl", { className: "facts" }, ...rows);
}

function heading(text) {
  return make("h3", { textContent: text });
}

/** @file The details of one order: all that the API knows, its history, its fill's evidence, its trades and ledger rows. */

import { byId, debounce, make, notify } from "../../common/dom.js";
import { get } from "../../common/http.js";
import { NOTHING, grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { duration, fullClock } from "../../common/time.js";
import { isLive, nameOf } from "../../common/words.js";
import { evidenceSentence } from "./evidence.js";
import { amountOf } from "./ledger.js";
import { historyList } from "./order_history.js";
import { endText, executionOf, inWords, limitText, restedText, typeName, validityText, waitsSentence } from "./order_words.js";
import { orderToTicket } from "./to_ticket.js";

/** The order that the dialog shows, as it was read; null before the first. */
let shown = null;

/** Read an order with its history and its trades, and show them in a dialog. */
export async function openDetail({ orderId }) {
  try {
    await read(orderId);
    byId("detail").showModal();
  } catch (error) {
    notify(sentenceOf(error), "problem");
  }
}

/** Show the order of the open dialog again each time that it has changed. */
export function followDetail(store) {
  const follow = debounce(() => read(shown.orderId).catch((error) => notify(sentenceOf(error), "problem")), 100);
  store.on(["orders"], () => {
    if (!byId("detail").open || !(store.orders.get(shown.orderId)?.updatedAt > shown.updatedAt)) return;
    follow();
  });
}

async function read(orderId) {
  const path = `/api/trading/orders/${orderId}`;
  const [order, history, trades] = await Promise.all([get(path), get(`${path}/history`), get(`${path}/trades`)]);
  shown = order;
  const isHeld = byId("detail-body").contains(document.activeElement);
  byId("detail-title").textContent = `${nameOf(order.side)} ${grouped(order.quantity)} ${order.symbol}`;
  byId("detail-body").replaceChildren(...sections(order, history.data, trades.data));
  if (isHeld) byId("detail-body").querySelector(".to-ticket").focus({ preventScroll: true });
}

function sections(order, history, trades) {
  return [
    ...sentences(order),
    list(facts(order)),
    section("History", historyList(history)),
    section("Trades", trades.length ? list(trades.map(tradePair)) : none("No trade yet.")),
    section("Charges", list(chargePairs(order))),
    section("Ledger", order.transactions.length ? list(order.transactions.map(entryPair)) : none("No entries.")),
    ticketButton(order),
  ];
}

function sentences(order) {
  const texts = [evidenceSentence(order), waitsSentence(order)].filter(Boolean);
  return texts.map((text) => make("p", { className: "evidence", textContent: text }));
}

/** Return what the API knows of an order as [term, text] pairs; what it has not is left out. */
function facts(order) {
  const end = endText(order);
  return [
    ["Status", nameOf(order.status) + (end ? `: ${end}` : "")],
    ["Type", `${typeName(order)}, ${nameOf(order.product)}`],
    ["Stock", `${order.symbol} ${order.exchange}`],
    ["Filled", `${grouped(order.filledQuantity)} of ${grouped(order.quantity)}`],
    ["Price", limitText(order)],
    ...given("Trigger", order.triggerPrice, grouped),
    ["Validity", validityText(order)],
    ...given("Market protection", order.marketProtection, (percent) => `${percent} %`),
    ...given("Protection price", order.protectionPrice, grouped),
    ["Average price", grouped(order.averagePrice)],
    ...(isLive(order) ? [["Margin blocked", grouped(order.blockedMargin)]] : []),
    ...moments(order),
    ...origins(order),
  ];
}

function moments(order) {
  const took = order.executedAt ? ` (${duration(executionOf(order))}${order.matchedAt ? " after its match" : ""})` : "";
  const rested = restedText(order) && ` (${restedText(order)})`;
  return [
    ["Accepted", fullClock(order.placedAt)],
    ...given("Triggered", order.triggeredAt, fullClock),
    ...given("Matched", order.matchedAt, (at) => fullClock(at) + rested),
    ...given("Executed", order.executedAt, (at) => fullClock(at) + took),
    ...given("Expires", isLive(order) ? order.expiresAt : null, fullClock),
    ...(isLive(order) || order.executedAt ? [] : [["Ended", fullClock(order.updatedAt) + rested]]),
  ];
}

function origins(order) {
  return [
    ["Origin", order.origin === "SQUARE_OFF" ? "The server's square-off" : "You"],
    ["After market", order.afterMarket ? "Yes" : "No"],
    ["Fills", order.fillModel === "QUOTES" ? "By quotes" : "At once"],
    ...given("Tag", order.tag, String),
    ["Order", order.orderId],
    ...given("Order number", order.orderNumber, String),
    ["Client order", order.clientOrderId ?? NOTHING],
    ...given("Position", order.positionId, String),
  ];
}

const given = (term, value, text) => (value === null || value === undefined ? [] : [[term, text(value)]]);

function tradePair(trade) {
  const { tradedAt, quantity, price, charges } = trade;
  return [fullClock(tradedAt), `${grouped(quantity)} at ${grouped(price)}, charges ${grouped(charges)}`];
}

function chargePairs(order) {
  const items = Object.entries(order.chargeItems).map(([name, amount]) => [chargeName(name), grouped(amount)]);
  return [...items, ["Total", grouped(order.charges)]];
}

function entryPair(row) {
  return [`${fullClock(row.createdAt)} · ${nameOf(row.kind)}`, `${amountOf(row)} → ${grouped(row.balanceAfter)}`];
}

function ticketButton(order) {
  const button = make("button", { type: "button", className: "to-ticket", textContent: "Fill the ticket with this order" });
  button.setAttribute("aria-label", `Fill the ticket: ${inWords(order)}`);
  button.onclick = () => {
    byId("detail").close();
    orderToTicket(order);
  };
  return button;
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

function section(title, content) {
  return make("section", {}, make("h3", { textContent: title }), content);
}

const none = (text) => make("p", { className: "muted small", textContent: text });

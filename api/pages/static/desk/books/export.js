/** @file Export the books as comma-separated values; what is read page by page has its progress on the button. */

import { make, notify, setText } from "../../common/dom.js";
import { getAll } from "../../common/http.js";
import { sentenceOf } from "../../common/problems.js";
import { passes, queryFor } from "./order_filters.js";

const TEXTS = new Set(["clientOrderId", "tag"]);
const ORDER_FIELDS = [
  ...["orderId", "placedAt", "exchange", "symbol", "side", "product", "orderType", "quantity", "price", "triggerPrice"],
  ...["validity", "marketProtection", "protectionPrice", "status", "waitingFor", "filledQuantity", "averagePrice", "charges"],
  ...["rejectionReason", "endReason", "triggeredAt", "matchedAt", "expiresAt", "executedAt", "updatedAt", "fillRule"],
  ...["fillQuote", "origin", "clientOrderId", "tag", "positionId"],
];
const LEDGER_FIELDS = ["id", "createdAt", "kind", "amount", "balanceAfter", "blockedAfter", "orderId"];

/** The readings that a second press of their button stops. */
const readings = new Map();

/** Export all orders that pass the chosen filters; called again while it reads, stop. */
export function exportOrStop({ button, store, chosen }) {
  const passing = (order) => passes(order, chosen);
  return readOrStop(button, "order", async (reading) => {
    const read = await getAll("/api/trading/orders", { ...reading, query: queryFor(chosen) });
    // Those that are loaded are as new as the events.
    const found = new Map([...read, ...store.newestOrders()].filter(passing).map((order) => [order.orderId, order]));
    const key = (order) => order.placedAt + order.orderId;
    const orders = [...found.values()].sort((left, right) => (key(left) < key(right) ? 1 : -1));
    offerRows("order", ORDER_FIELDS, orders.map(withFill));
  });
}

/** Export live orders that are at hand. */
export function exportOpenOrders(orders) {
  if (orders.length === 0) notify("There is no open order to export.");
  else offerRows("open order", ORDER_FIELDS, orders.map(withFill));
}

/** Export the whole ledger; called again while it reads, stop. */
export function exportLedger(button) {
  return readOrStop(button, "ledger entry", async (reading) => {
    offerRows("ledger entry", LEDGER_FIELDS, await getAll("/api/trading/transactions", reading));
  });
}

/** Export rows that are at hand; the members of the first name the columns. */
export function exportRows({ noun, rows }) {
  if (rows.length === 0) notify(`There is no ${noun} to export.`);
  else offerRows(noun, Object.keys(rows[0]), rows);
}

async function readOrStop(button, noun, exported) {
  if (readings.has(button)) return readings.get(button).abort();
  const controller = new AbortController();
  readings.set(button, controller);
  setText(button, "Stop · 0");
  try {
    await exported({ signal: controller.signal, progress: (read) => setText(button, `Stop · ${read}`) });
  } catch (error) {
    if (controller.signal.aborted) notify("The export was stopped.");
    else notify(`The ${pluralOf(noun)} were not exported. ${sentenceOf(error)}`, "problem");
  } finally {
    readings.delete(button);
    setText(button, "CSV");
  }
  return undefined;
}

/** Give rows to the person as a file of comma-separated values (RFC 4180). */
function offerRows(noun, fields, rows) {
  const lines = rows.map((row) => fields.map((name) => quoted(name, row[name])).join(","));
  const day = new Date().toISOString().slice(0, 10);
  offerFile(`${pluralOf(noun).replace(" ", "-")}-${day}.csv`, [fields.join(","), ...lines, ""].join("\r\n"));
  notify(rows.length === 1 ? `1 ${noun} was exported.` : `${rows.length} ${pluralOf(noun)} were exported.`);
}

const pluralOf = (noun) => (noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`);

/** Give a text to the person as a file. */
function offerFile(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = make("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function withFill(order) {
  return { ...order, fillRule: order.fill?.rule, fillQuote: order.fill?.quoteNumber };
}

function quoted(name, value) {
  let text = value === null || value === undefined ? "" : String(value);
  // A spreadsheet takes a text that begins like this for a formula.
  if (TEXTS.has(name) && /^[=+\-@\t]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @file Export orders as comma-separated values, with the progress on the button. */

import { make, notify, setText } from "../../common/dom.js";
import { get } from "../../common/http.js";
import { sentenceOf } from "../../common/problems.js";
import { passes, queryFor } from "./order_filters.js";

const MAX_PAGE = 200;
const TEXTS = new Set(["clientOrderId", "tag"]);
const FIELDS = [
  ...["orderId", "placedAt", "exchange", "symbol", "side", "product", "orderType", "quantity", "price", "triggerPrice"],
  ...["validity", "marketProtection", "protectionPrice", "status", "waitingFor", "filledQuantity", "averagePrice", "charges"],
  ...["rejectionReason", "endReason", "triggeredAt", "expiresAt", "executedAt", "updatedAt", "fillRule", "fillQuote"],
  ...["origin", "clientOrderId", "tag", "positionId"],
];

let reading = null;

/** Export all orders that pass the chosen filters; called again while it reads, stop. */
export async function exportOrStop({ button, store, chosen }) {
  if (reading) return reading.abort();
  const { signal } = (reading = new AbortController());
  try {
    await exportOrders({ button, store, chosen, signal });
  } catch (error) {
    if (signal.aborted) notify("The export was stopped.");
    else notify(`The orders were not exported. ${sentenceOf(error)}`, "problem");
  } finally {
    reading = null;
    setText(button, "CSV");
  }
  return undefined;
}

async function exportOrders({ button, store, chosen, signal }) {
  setText(button, "Stop · 0");
  const orders = await readOrders({
    loaded: store.newestOrders(),
    query: queryFor(chosen),
    passes: (order) => passes(order, chosen),
    progress: (read) => setText(button, `Stop · ${read}`),
    signal,
  });
  offerFile(`orders-${new Date().toISOString().slice(0, 10)}.csv`, ordersAsCsv(orders));
  notify(orders.length === 1 ? "1 order was exported." : `${orders.length} orders were exported.`);
}

/**
 * Return all orders that pass, newest first: those that are loaded as they are, the rest page by page.
 *
 * `progress(read, found)` is called after each page; the signal ends the reading with an AbortError.
 */
async function readOrders({ loaded, query, passes, progress, signal }) {
  const found = new Map(loaded.filter(passes).map((order) => [order.orderId, order]));
  let [cursor, read] = [null, 0];
  do {
    const page = await get("/api/trading/orders", { ...query, limit: MAX_PAGE, cursor }, { signal });
    for (const order of page.data.filter(passes)) found.set(order.orderId, order);
    cursor = page.nextCursor;
    read += page.data.length;
    progress(read, found.size);
  } while (cursor !== null);
  return [...found.values()].sort((left, right) => (left.placedAt + left.orderId < right.placedAt + right.orderId ? 1 : -1));
}

/** Return orders as a text of comma-separated values (RFC 4180). */
function ordersAsCsv(orders) {
  const lines = orders.map((order) => FIELDS.map((name) => quoted(name, valueOf(order, name))).join(","));
  return [FIELDS.join(","), ...lines, ""].join("\r\n");
}

/** Give a text to the person as a file. */
function offerFile(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = make("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function valueOf(order, name) {
  if (name === "fillRule") return order.fill?.rule;
  return name === "fillQuote" ? order.fill?.quoteNumber : order[name];
}

function quoted(name, value) {
  let text = value === null || value === undefined ? "" : String(value);
  // A spreadsheet takes a text that begins like this for a formula.
  if (TEXTS.has(name) && /^[=+\-@\t]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

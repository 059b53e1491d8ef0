/** @file Export orders as a file, with the progress on the button. */

import { notify, setText } from "../../common/dom.js";
import { sentenceOf } from "../../common/problems.js";
import { offerFile, ordersAsCsv, readOrders } from "./csv.js";
import { passes, queryFor } from "./order_filters.js";

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

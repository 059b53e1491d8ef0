/** @file The parts that the desk's first paint does not need: ticket, other books and market, then the plots. */

import { showOtherBooks } from "./books/other_books.js";
import { showMarket } from "./market/market.js";
import { startTicket } from "./ticket/ticket.js";

/** Start the parts; the plots wait for their library. */
export async function startLater(store) {
  startTicket(store);
  showOtherBooks(store);
  showMarket(store);
  const { showPlots } = await import("./market/plots.js");
  showPlots(store);
}

/** @file The parts of the desk that its first paint does not need: ticket, market and the other books, then the plots. */

import { showOtherBooks } from "./books/other_books.js";
import { showMarket } from "./market/market.js";
import { startTicket } from "./ticket/ticket.js";

/** Start the parts; the plots wait for their library. */
export async function startLater(store) {
  startTicket(store);
  showMarket(store);
  showOtherBooks(store);
  const { showPlots } = await import("./market/plots.js");
  showPlots(store);
}


import { showOtherBooks } from "./books/other_books.js";
/** @file The parts of the desk that its first paint does not need: the ticket, the other books and the market, then the plots. */

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

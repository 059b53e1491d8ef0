/** @file The parts of the desk that its first paint does not need: the ticket and the ledger, then the plots. */

import { Ledger } from "./books/ledger.js";
import { showMarket } from "./market/market.js";
import { startTicket } from "./ticket/ticket.js";

/** Start the parts; the plots wait for their library. */
export async function startLater(store) {
  startTicket(store);
  showMarket(store);
  new Ledger(store);
  const { showPlots } = await import("./market/plots.js");
  showPlots(store);
}

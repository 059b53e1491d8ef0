/** @file The parts of the desk that its first paint does not need: the ticket, then the plots. */

import { startTicket } from "./ticket/ticket.js";

/** Start the parts; the plots wait for their library. */
export async function startLater(store) {
  startTicket(store);
  const { showPlots } = await import("./market/plots.js");
  showPlots(store);
}

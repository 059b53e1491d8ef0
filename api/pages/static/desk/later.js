/** @file The parts of the desk that nothing waits for: the market and the other books, then the plots. */

import { showOtherBooks } from "./books/other_books.js";
import { showMarket } from "./market/market.js";

/** Start the parts; the plots wait for their library. */
export async function startLater(store) {
  showMarket(store);
  showOtherBooks(store);
  const { showPlots } = await import("./market/plots.js");
  showPlots(store);
}

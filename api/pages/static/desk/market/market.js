/** @file The market's part of the desk: watch list, plots, and the announcement of fills. */

import { keyOf } from "../store.js";
import { Chart } from "./chart.js";
import { showFillBar } from "./fill_bar.js";
import { announceFills } from "./fills.js";
import { QuotePoll } from "./quote_poll.js";
import { Recorder } from "./recorder.js";
import { WatchList } from "./watch_list.js";

/** Start the market's part. */
export function showMarket(store) {
  const recorder = new Recorder(store);
  const list = new WatchList(store);
  new QuotePoll(store, () => [...new Set([...list.watched.keys, ...(store.selected ? [keyOf(store.selected)] : [])])]);
  new Chart(store, recorder);
  showFillBar();
  announceFills(store);
}

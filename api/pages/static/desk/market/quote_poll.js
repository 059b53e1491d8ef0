/** @file Quotes over HTTP while the stream gives none: the fall-back for the watched stocks. */

import { get } from "../../common/http.js";

const EVERY = 2000;
// The stream counts as silent when it has given no quote for so long.
const SILENT_AFTER = 10_000;
const MOST = 200;

/** Reads the quotes of the stocks of `keysOf()` every 2 seconds while no ticks come. */
export class QuotePoll {
  /** The keys that the server does not know. */
  #absent = new Set();

  constructor(store, keysOf) {
    Object.assign(this, { store, keysOf });
    setTimeout(() => this.#run(), 0);
  }

  async #run() {
    const keys = this.keysOf().slice(0, MOST);
    const isUnknown = keys.some((key) => !this.store.quotes.has(key) && !this.#absent.has(key));
    const isSilent = Date.now() - this.store.tickAt > SILENT_AFTER;
    if (!document.hidden && keys.length > 0 && (isSilent || isUnknown)) await this.#read(keys);
    setTimeout(() => this.#run(), EVERY);
  }

  async #read(keys) {
    const page = await get("/api/market/stocks", { symbols: keys.join(",") }).catch(() => null);
    if (!page) return;
    this.store.putQuotes(page.data);
    this.#absent = new Set(keys.filter((key) => !this.store.quotes.has(key)));
  }
}

/** @file Read the state over HTTP: all of it at the start, then the values that move with the market every 2 seconds. */

import { MAX_PAGE, Problem, get, getAll } from "../common/http.js";

const POLL = 2000;
const RETRY = 1000;

const ACCOUNT = "/api/trading/account";
const POSITIONS = "/api/trading/positions";
const ORDERS = "/api/trading/orders";
const LEDGER = "/api/trading/transactions";
const HOLDINGS = "/api/trading/holdings";

/** Updates a store over HTTP, beside the stream of events. */
export class Sync {
  #waiting = [];
  #isLoaded = false;
  #timer = 0;
  #cursor = null;
  #run = 0;
  #loading = null;

  constructor(store, { refused }) {
    this.store = store;
    this.refused = refused;
  }

  /** Read the whole state, but for an account that has just been read; apply the events that come meanwhile afterwards. */
  load(account = null) {
    this.#loading = this.#load(++this.#run, account);
  }

  /** Read the whole state again when the present reading has ended. */
  async loadAgain() {
    const run = this.#run;
    await this.#loading;
    if (run === this.#run) this.load();
  }

  async #load(run, account) {
    this.#isLoaded = false;
    while (run === this.#run) {
      try {
        await this.#readAll(run, account);
        return;
      } catch (error) {
        if (this.#isRefusal(error)) return;
        await new Promise((resume) => setTimeout(resume, RETRY));
      }
    }
  }

  /** Apply an event now, or after the state has been read. */
  take(event) {
    if (this.#isLoaded) this.store.apply(event);
    else this.#waiting.push(event);
    if (this.#isLoaded && event.type === "position.updated") this.#pollSoon(50);
  }

  /** Stop reading. */
  stop() {
    this.#run += 1;
    clearTimeout(this.#timer);
  }

  /** True if there are orders older than those that were read. */
  get hasOlderOrders() {
    return this.#cursor !== null;
  }

  /** Read the next page of older orders. */
  async readOlderOrders() {
    const page = await get(ORDERS, { limit: 50, cursor: this.#cursor });
    this.#cursor = page.nextCursor;
    this.store.putOrders(page.data);
  }

  async #readAll(run, known) {
    // What a person looks for first is asked for first.
    const [account, positions, orders, open] = await Promise.all([
      known ?? get(ACCOUNT),
      getAll(POSITIONS),
      get(ORDERS, { limit: 50 }),
      getAll(ORDERS, { query: { status: "OPEN" } }), // these may be older than the newest page
    ]);
    if (run !== this.#run) return;
    this.#cursor = orders.nextCursor;
    this.store.putAccount(account);
    this.store.putPositions(positions);
    this.store.putOrders([...open, ...orders.data]);
    this.store.setLoaded();
    const [pending, holdings, ledger] = await Promise.all([
      getAll(ORDERS, { query: { status: "PENDING" } }),
      getAll(HOLDINGS),
      get(LEDGER, { limit: MAX_PAGE }),
    ]);
    if (run !== this.#run) return;
    this.store.putOrders(pending);
    this.store.putHoldings(holdings);
    this.store.putHistory(ledger.data);
    this.#isLoaded = true;
    for (const event of this.#waiting.splice(0)) this.store.apply(event);
    this.#pollSoon(POLL);
  }

  #pollSoon(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(this.#run), delay);
  }

  async #poll(run) {
    try {
      if (document.visibilityState === "visible") await this.#readMarket();
    } catch (error) {
      if (this.#isRefusal(error)) return;
    }
    if (run === this.#run) this.#pollSoon(POLL);
  }

  async #readMarket() {
    const version = this.store.accountVersion;
    const [account, positions, holdings] = await Promise.all([get(ACCOUNT), getAll(POSITIONS), getAll(HOLDINGS)]);
    this.store.putPositions(positions);
    this.store.putHoldings(holdings);
    // An event may have overtaken the answer.
    if (version === this.store.accountVersion) this.store.putAccount(account);
  }

  #isRefusal(error) {
    const isRefused = error instanceof Problem && [401, 403].includes(error.status);
    if (isRefused) this.refused();
    return isRefused;
  }
}

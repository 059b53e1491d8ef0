/** @file The charges that the orders of the day have paid, for each position and in all. */

import { debounce } from "../../common/dom.js";
import { get } from "../../common/http.js";
import { sumOf } from "./live.js";

const MAX_PAGE = 200;
const INDIA = 330 * 60_000;
const DAY = 86_400_000;

/** Return the start of the present day in India as a timestamp. */
export function startOfDay(now = Date.now()) {
  return new Date(Math.floor((now + INDIA) / DAY) * DAY - INDIA).toISOString();
}

/** The charges of the day's fills: read once from the trades, then taken from orders as they fill. */
export class DayCharges {
  /** [position, charges] by the id of the order. */
  #paid = new Map();
  #totals = new Map();
  #day = startOfDay();
  #isRead = false;

  constructor(store, changed) {
    Object.assign(this, { store, changed });
    store.on(["orders"], debounce(() => this.#takeOrders(), 50));
    store.on(["loaded"], () => this.#read());
    setInterval(() => this.#day !== startOfDay() && this.#read(), 60_000);
  }

  /** Return the charges of the day of one position. */
  of(positionId) {
    return this.#totals.get(positionId) ?? "0.00";
  }

  /** Return the charges of the day of all positions. */
  total() {
    return sumOf([...this.#totals.values()]);
  }

  async #read() {
    this.#day = startOfDay();
    const paid = new Map();
    try {
      let cursor = null;
      do {
        const page = await get("/api/trading/trades", { from: this.#day, limit: MAX_PAGE, cursor });
        for (const trade of page.data) paid.set(trade.orderId, [trade.positionId, trade.charges]);
        cursor = page.nextCursor;
      } while (cursor !== null);
      this.#paid = paid;
      this.#isRead = true;
      this.#takeOrders();
    } catch {
      setTimeout(() => this.#read(), 5000);
    }
  }

  #takeOrders() {
    for (const { orderId, status, executedAt, positionId, charges } of this.store.orders.values()) {
      if (status === "EXECUTED" && executedAt >= this.#day) this.#paid.set(orderId, [positionId, charges]);
    }
    this.#add();
    if (this.#isRead) this.store.putDayCharges(this.total());
    this.changed();
  }

  #add() {
    const lists = new Map();
    for (const [positionId, charges] of this.#paid.values()) {
      if (!lists.has(positionId)) lists.set(positionId, []);
      lists.get(positionId).push(charges);
    }
    this.#totals = new Map([...lists].map(([positionId, list]) => [positionId, sumOf(list)]));
  }
}

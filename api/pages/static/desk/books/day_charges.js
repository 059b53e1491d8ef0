/** @file The charges that the orders of the day have paid, for each position and in all. */

import { debounce } from "../../common/dom.js";
import { get, getAll } from "../../common/http.js";
import { grouped, signOf } from "../../common/money.js";
import { INDIA_AHEAD } from "../../common/time.js";
import { isLive } from "../../common/words.js";
import { sumOf } from "./live.js";

const TRADES = "/api/trading/trades";
const DAY = 86_400_000;

/** Return the start of the present day in India as a timestamp. */
export function startOfDay(now = Date.now()) {
  return new Date(Math.floor((now + INDIA_AHEAD) / DAY) * DAY - INDIA_AHEAD).toISOString();
}

/** The charges of the day's fills: read once from the trades, then taken from orders as they fill. */
export class DayCharges {
  /** [position, charges] by the id of the order. */
  #paid = new Map();
  #totals = new Map();
  /** The charges of live orders by their stock and product. */
  #reserved = new Map();
  #from = startOfDay();
  #readOn = this.#from;
  #isRead = false;

  constructor(store, changed) {
    Object.assign(this, { store, changed });
    store.on(["orders"], debounce(() => this.#takeOrders(), 50));
    store.on(["loaded"], () => this.#read());
    setInterval(() => this.#readOn !== startOfDay() && this.#read(), 60_000);
  }

  /** Return the charges of the day of one position. */
  of(positionId) {
    return this.#totals.get(positionId) ?? "0.00";
  }

  /** Return the charges of the day of all positions. */
  total() {
    return sumOf([...this.#totals.values()]);
  }

  /** Return the sentence about the charges that are reserved for a position's live orders, or an empty text. */
  reservedSentence(position) {
    return sentenceOf(this.#reserved.get(bookOf(position)));
  }

  /** Return the sentence about the charges that are reserved for all live orders, or an empty text. */
  allReservedSentence() {
    return sentenceOf(sumOf([...this.#reserved.values()]));
  }

  async #read() {
    this.#readOn = startOfDay();
    try {
      const { from, trades } = await this.#readTrades();
      this.#from = from;
      this.#paid = new Map(trades.map((trade) => [trade.orderId, [trade.positionId, trade.charges]]));
      this.#isRead = true;
      this.#takeOrders();
    } catch {
      setTimeout(() => this.#read(), 5000);
    }
  }

  /** Read the trades of the day; on a day without trading the positions still show the figures of the day before. */
  async #readTrades() {
    const today = { from: this.#readOn, trades: await getAll(TRADES, { query: { from: this.#readOn } }) };
    if (today.trades.length > 0 || !this.#haveFigures()) return today;
    const newest = (await get(TRADES, { limit: 1 })).data[0];
    if (!newest) return today;
    const from = startOfDay(Date.parse(newest.tradedAt));
    return { from, trades: await getAll(TRADES, { query: { from } }) };
  }

  #haveFigures() {
    const positions = [...this.store.positions.values()];
    return positions.some(({ dayBuyQuantity, daySellQuantity }) => dayBuyQuantity > 0 || daySellQuantity > 0);
  }

  #takeOrders() {
    for (const { orderId, status, executedAt, positionId, charges } of this.store.orders.values()) {
      if (status === "EXECUTED" && executedAt >= this.#from) this.#paid.set(orderId, [positionId, charges]);
    }
    this.#add();
    this.#reserve();
    if (this.#isRead) this.store.putDayCharges(this.total());
    this.changed();
  }

  #reserve() {
    const live = [...this.store.orders.values()].filter((order) => isLive(order) && order.charges);
    this.#reserved = new Map();
    for (const order of live) this.#reserved.set(bookOf(order), sumOf([this.#reserved.get(bookOf(order)), order.charges]));
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

const bookOf = ({ exchange, symbol, product }) => `${exchange}:${symbol} ${product}`;
const sentenceOf = (amount = "0.00") => (signOf(amount) ? `${grouped(amount)} more are reserved for live orders.` : "");

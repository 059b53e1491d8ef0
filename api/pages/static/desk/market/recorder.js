/** @file The prices of the watched stocks as they came, kept in memory while the page is open. */

import { micros } from "../../common/time.js";

const MOST = 7200;
const FIRST = 256;

/** Times in seconds and values, of which the oldest give way when the ring is full. */
export class Ring {
  #times = new Float64Array(FIRST);
  #values = new Float64Array(FIRST);
  #start = 0;
  length = 0;

  /** Add a value; one at or before the last time takes the place of the last. */
  add(at, value) {
    if (this.length > 0 && at <= this.#times[this.#place(this.length - 1)]) {
      this.#values[this.#place(this.length - 1)] = value;
      return;
    }
    if (this.length === this.#times.length && this.length < MOST) this.#grow();
    if (this.length === this.#times.length) this.#start = (this.#start + 1) % this.length;
    else this.length += 1;
    this.#times[this.#place(this.length - 1)] = at;
    this.#values[this.#place(this.length - 1)] = value;
  }

  /** Return the times and the values from a time on, with the last value before it. */
  since(start) {
    let first = this.length;
    while (first > 0 && this.#times[this.#place(first - 1)] >= start) first -= 1;
    if (first > 0) first -= 1;
    const places = Array.from({ length: this.length - first }, (_, index) => this.#place(first + index));
    return [places.map((place) => this.#times[place]), places.map((place) => this.#values[place])];
  }

  #place(index) {
    return (this.#start + index) % this.#times.length;
  }

  #grow() {
    const [times, values] = this.since(-Infinity);
    const size = Math.min(MOST, this.#times.length * 2);
    this.#times = new Float64Array(size);
    this.#values = new Float64Array(size);
    this.#times.set(times);
    this.#values.set(values);
    this.#start = 0;
  }
}

/** Records the last prices of all stocks whose quotes come, and the account's balance and equity. */
export class Recorder {
  prices = new Map();
  /** The time of the first record of the account, in seconds. */
  start = null;
  balance = new Ring();
  equity = new Ring();

  constructor(store) {
    this.store = store;
    store.on(["quotes"], (changed) => this.#takeQuotes(changed));
    store.on(["account"], () => this.#takeAccount());
  }

  #takeQuotes(changed) {
    for (const key of changed) {
      const { lastPrice, quotedAt } = this.store.quotes.get(key);
      if (lastPrice == null || !quotedAt) continue;
      if (!this.prices.has(key)) this.prices.set(key, new Ring());
      this.prices.get(key).add(micros(quotedAt) / 1e6, Number(lastPrice));
    }
  }

  #takeAccount() {
    const { balance, unrealizedPnl } = this.store.account;
    const now = Date.now() / 1000;
    this.start ??= now;
    this.balance.add(now, Number(balance));
    if (unrealizedPnl != null) this.equity.add(now, Number(balance) + Number(unrealizedPnl));
  }
}

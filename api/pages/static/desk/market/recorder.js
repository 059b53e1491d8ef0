/** @file The prices of the watched stocks and the account's equity as they came, kept in this tab. */

import { micros } from "../../common/time.js";
import { keepRecord, readRecord } from "./record_store.js";
import { Series } from "./series.js";

/** Records the last prices of all stocks whose quotes come, and the account's balance and equity. */
export class Recorder {
  constructor(store) {
    this.store = store;
    const account = store.account.tradingAccountId;
    Object.assign(this, readRecord(account));
    keepRecord(() => ({ account, prices: this.prices, balance: this.balance, equity: this.equity }));
    store.on(["quotes"], (changed) => this.#takeQuotes(changed));
    store.on(["account"], () => this.#takeAccount());
  }

  /** The time of the first record of the account in seconds, or null. */
  get start() {
    return this.balance.first;
  }

  #takeQuotes(changed) {
    for (const key of changed) {
      const { lastPrice, quotedAt } = this.store.quotes.get(key);
      if (lastPrice == null || !quotedAt) continue;
      if (!this.prices.has(key)) this.prices.set(key, new Series());
      this.prices.get(key).add(micros(quotedAt) / 1e6, Number(lastPrice));
    }
  }

  #takeAccount() {
    const { balance, unrealizedPnl } = this.store.account;
    const now = Date.now() / 1000;
    this.balance.add(now, Number(balance));
    if (unrealizedPnl != null) this.equity.add(now, Number(balance) + Number(unrealizedPnl));
  }
}

/** @file The state that the desk shows: read once over HTTP, then updated by events. */

import { difference } from "../common/money.js";
import { micros } from "../common/time.js";

const MAX_HISTORY = 2000;

/** The account, its orders and its positions; the views are called when they change. */
export class Store {
  account = null;
  orders = new Map();
  positions = new Map();
  /** [microseconds, available margin] pairs, oldest first. */
  history = [];
  accountVersion = 0;
  #listeners = new Map();
  #changed = new Set();

  /** Call `action` soon after a topic has changed: account, orders, positions, ledger or history. */
  on(topics, action) {
    for (const topic of topics) this.#listeners.set(topic, [...(this.#listeners.get(topic) ?? []), action]);
  }

  /** Apply an event of the stream. */
  apply(event) {
    const subject = event.type.split(".")[0];
    if (subject === "order") this.putOrders([event.data]);
    if (subject === "position") this.putPositions([event.data]);
    if (subject === "account") {
      this.putAccount(event.data);
      this.#remember(event.at, event.data.availableMargin);
      this.#announce("ledger");
    }
  }

  /** Update the account; members that the data lacks, such as those that move with the market, keep their value. */
  putAccount(data) {
    this.accountVersion += 1;
    this.account = { ...this.account, ...data };
    this.#announce("account");
  }

  /** Update orders; an older state never replaces a newer one. */
  putOrders(list) {
    this.#merge(this.orders, list, "orderId", "orders");
  }

  /** Update positions; an older state never replaces a newer one. */
  putPositions(list) {
    this.#merge(this.positions, list, "positionId", "positions");
  }

  /** Replace the history of the available margin by that of ledger entries, given newest first. */
  putHistory(rows) {
    this.history = [];
    for (const row of [...rows].reverse()) this.#remember(row.createdAt, difference(row.balanceAfter, row.blockedAfter));
  }

  /** Return the orders, newest first. */
  newestOrders() {
    const key = (order) => order.placedAt + order.orderId;
    return [...this.orders.values()].sort((a, b) => (key(a) < key(b) ? 1 : -1));
  }

  #merge(known, list, idName, topic) {
    for (const item of list) {
      const old = known.get(item[idName]);
      if (!old || old.updatedAt <= item.updatedAt) known.set(item[idName], { ...old, ...item });
    }
    this.#announce(topic);
  }

  #remember(timestamp, available) {
    const at = micros(timestamp);
    const last = this.history.at(-1);
    if (last && last[0] > at) return;
    if (last && last[0] === at) last[1] = available;
    else this.history.push([at, available]);
    if (this.history.length > MAX_HISTORY) this.history.shift();
    this.#announce("history");
  }

  /** Call the listeners once for all changes of one burst. */
  #announce(topic) {
    if (this.#changed.size === 0) setTimeout(() => this.#callListeners(), 0);
    this.#changed.add(topic);
  }

  #callListeners() {
    const topics = [...this.#changed];
    this.#changed.clear();
    for (const action of new Set(topics.flatMap((topic) => this.#listeners.get(topic) ?? []))) action();
  }
}

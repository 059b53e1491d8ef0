/** @file The state that the desk shows: read once over HTTP, then updated by events and ticks. */

import { difference } from "../common/money.js";
import { ageText, micros } from "../common/time.js";
import { Announcer } from "./announcer.js";
import { Watches } from "./watches.js";

const MAX_HISTORY = 2000;
// A price that is older is shown in grey, with its age.
const OLD_AFTER = 15_000;

/** Return the key of a stock, order or position: "NSE:RELIANCE". */
export const keyOf = (thing) => `${thing.exchange}:${thing.symbol}`;

/** The account, its orders, positions and holdings, and the quotes; the views are called when they change. */
export class Store {
  account = null;
  orders = new Map();
  positions = new Map();
  /** Holdings by the id of their position. */
  holdings = new Map();
  /** Stocks by key, as GET /api/market/stocks returns them, merged with ticks. */
  quotes = new Map();
  /** The charges of the orders that were executed on this day in India; null until known. */
  dayCharges = null;
  /** The answer of GET /api/market/clock, or null. */
  clock = null;
  /** The chosen stock, as { exchange, symbol }, or null. */
  selected = null;
  /** The time of the last tick of the stream, in milliseconds. */
  tickAt = 0;
  /** True once the account, the orders and the positions have been read. */
  isLoaded = false;
  /** [microseconds, available margin] pairs, oldest first. */
  history = [];
  accountVersion = 0;
  /** The milliseconds by which the server's clock is ahead of the browser's. */
  clockOffset = 0;
  #announcer = new Announcer({ quotes: () => new Set(this.quotes.keys()) });
  #watches = new Watches();
  #changedKeys = null;
  #ages = new Map();
  #fills = null;

  /**
   * Call `action` soon after a topic has changed: account, charges (of the day), orders, positions, holdings, ledger,
   * history, quotes, selected, clock, loaded or fills. For "quotes" it is called with the Set of changed keys, for "fills" with the orders that an
   * event (and not loading) has made EXECUTED. A view that starts late is called once for what has changed before. In a
   * hidden tab only "fills" is announced; the rest follows when it is shown again.
   */
  on(topics, action) {
    this.#announcer.on(topics, action);
  }

  /** Apply an event of the stream. */
  apply(event) {
    const subject = event.type.split(".")[0];
    if (subject === "order") this.#takeOrder(event);
    if (subject === "position") this.putPositions([event.data]);
    if (subject === "account") {
      this.putAccount(event.data);
      this.#remember(event.at, event.data.availableMargin);
      this.#announcer.announce("ledger");
    }
  }

  /** Update the account; members that the data lacks, such as those that move with the market, keep their value. */
  putAccount(data) {
    this.accountVersion += 1;
    this.account = { ...this.account, ...data };
    this.#announcer.announce("account");
  }

  /** Update orders; an older state never replaces a newer one. */
  putOrders(list) {
    this.#merge(this.orders, list, "orderId", "orders");
  }

  /** Update positions; an older state never replaces a newer one. */
  putPositions(list) {
    this.#merge(this.positions, list, "positionId", "positions");
  }

  /** Replace the holdings. */
  putHoldings(list) {
    this.holdings = new Map(list.map((holding) => [holding.positionId, holding]));
    this.#announcer.announce("holdings");
  }

  /** Update quotes from stocks or ticks; a quote with a lower number never replaces a newer one. */
  putQuotes(list) {
    this.#changedKeys ??= new Set();
    for (const stock of list) {
      const key = keyOf(stock);
      const old = this.quotes.get(key);
      if (old && (old.quoteNumber ?? 0) > (stock.quoteNumber ?? 0)) continue;
      this.quotes.set(key, { ...old, ...stock });
      this.#changedKeys.add(key);
    }
    this.#announcer.announce("quotes", () => this.#takeChangedKeys());
  }

  /** Return the age of a stock's quote as text if it is old ("15 s"), else "": also while its session is closed. */
  ageOf(key) {
    return this.oldestAgeOf([key]);
  }

  /** Return the age of the oldest of these stocks' quotes as text if it is old, else "". */
  oldestAgeOf(keys) {
    const age = Math.max(0, ...keys.map((key) => this.#millisecondsSince(this.quotes.get(key))));
    return age > OLD_AFTER ? ageText(age) : "";
  }

  /** Announce the quotes whose age reads differently now; called each second. */
  announceAges() {
    for (const key of this.quotes.keys()) {
      const age = this.ageOf(key);
      if (age === (this.#ages.get(key) ?? "")) continue;
      this.#ages.set(key, age);
      (this.#changedKeys ??= new Set()).add(key);
    }
    if (this.#changedKeys) this.#announcer.announce("quotes", () => this.#takeChangedKeys());
  }

  #millisecondsSince(quote) {
    const moment = quote?.quotedAt ?? quote?.lastPriceAt;
    return !moment || this.#isClosed(quote) ? 0 : Date.now() + this.clockOffset - Date.parse(moment);
  }

  #isClosed({ sessionClass }) {
    const sessions = this.clock?.sessions ?? [];
    const session = sessions.find((each) => each.sessionClass === sessionClass) ?? sessions[0];
    return session?.open === false;
  }

  /** Replace the history of the available margin by that of ledger entries, given newest first. */
  putHistory(rows) {
    this.history = [];
    for (const row of [...rows].reverse()) this.#remember(row.createdAt, difference(row.balanceAfter, row.blockedAfter));
  }

  /** Replace the charges of the day. */
  putDayCharges(amount) {
    this.dayCharges = amount;
    this.#announcer.announce("charges");
  }

  /** Replace the clock of the market; `offset` is by how many milliseconds the server's time is ahead. */
  putClock(clock, offset) {
    this.clock = clock;
    this.clockOffset = offset;
    this.#announcer.announce("clock");
  }

  /** Remember that the state has been read: empty lists are empty from now on. */
  setLoaded() {
    this.isLoaded = true;
    this.#announcer.announce("loaded");
  }

  /** Choose a stock by its key. */
  select(key) {
    const [exchange, symbol] = key.split(":");
    this.selected = { exchange, symbol };
    this.#announcer.announce("selected");
  }

  /** Replace the set of stocks that an owner ("watch list", "ticket" or "books") needs live. */
  watch(owner, keys) {
    this.#watches.put(owner, keys);
  }

  /** Watch the stocks on this stream. */
  connect(stream) {
    this.#watches.connect(stream);
  }

  /** Return the orders, newest first. */
  newestOrders() {
    const key = (order) => order.placedAt + order.orderId;
    return [...this.orders.values()].sort((a, b) => (key(a) < key(b) ? 1 : -1));
  }

  #takeOrder(event) {
    const before = this.orders.get(event.data.orderId)?.status;
    this.putOrders([event.data]);
    const order = this.orders.get(event.data.orderId);
    if (order.status !== "EXECUTED" || before === "EXECUTED") return;
    (this.#fills ??= []).push(order);
    this.#announcer.announceNow("fills", () => this.#takeFills());
  }

  #takeFills() {
    const fills = this.#fills;
    this.#fills = null;
    return fills;
  }

  #takeChangedKeys() {
    const keys = this.#changedKeys;
    this.#changedKeys = null;
    return keys;
  }

  #merge(known, list, idName, topic) {
    for (const item of list) {
      const old = known.get(item[idName]);
      if (!old || old.updatedAt <= item.updatedAt) known.set(item[idName], { ...old, ...item });
    }
    this.#announcer.announce(topic);
  }

  #remember(timestamp, available) {
    const at = micros(timestamp);
    const last = this.history.at(-1);
    if (last && last[0] > at) return;
    if (last && last[0] === at) last[1] = available;
    else this.history.push([at, available]);
    if (this.history.length > MAX_HISTORY) this.history.shift();
    this.#announcer.announce("history");
  }
}

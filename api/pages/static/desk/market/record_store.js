/** @file The records of prices and equity, kept in this tab over a reload and deleted when the person signs out. */

import * as session from "../../common/session.js";
import { Series } from "./series.js";

const STORED = "tradepost.record";
const EVERY = 10_000;
const MOST_STOCKS = 50;
// Seconds: each second of the last 15 minutes is kept, and each minute of the last day.
const FINE = 900;
const DAY = 86_400;

/** Return what was kept for an account, as { prices: Map of Series by key, balance, equity }. */
export function readRecord(account) {
  const kept = parse();
  const isOwn = kept?.account === account;
  return {
    prices: new Map(isOwn ? Object.entries(kept.prices).map(([key, packed]) => [key, unpack(packed)]) : []),
    balance: unpack(isOwn ? kept.balance : []),
    equity: unpack(isOwn ? kept.equity : []),
  };
}

/** Keep the record of `recordOf()` every 10 seconds, and when the page is left; not beyond the session. */
export function keepRecord(recordOf) {
  setInterval(() => !document.hidden && whenIdle(() => write(recordOf())), EVERY);
  addEventListener("pagehide", () => write(recordOf()));
}

function write({ account, prices, balance, equity }) {
  if (session.token() === null) {
    sessionStorage.removeItem(STORED);
    return;
  }
  const newest = [...prices].sort(([, first], [, second]) => second.last - first.last).slice(0, MOST_STOCKS);
  const packed = Object.fromEntries(newest.map(([key, series]) => [key, pack(series)]));
  const text = JSON.stringify({ account, prices: packed, balance: pack(balance), equity: pack(equity) });
  try {
    sessionStorage.setItem(STORED, text);
  } catch {
    sessionStorage.removeItem(STORED); // the browser gives no room for it
  }
}

function parse() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED));
  } catch {
    return null;
  }
}

/** Return a series as [milliseconds since the value before, value, …]. */
function pack(series) {
  const now = Date.now() / 1000;
  const [times, values] = series.since(now - DAY);
  const stepOf = (at) => (at < now - FINE ? Math.ceil(at / 60) : Math.floor(at));
  const packed = [];
  let before = 0;
  times.forEach((at, index) => {
    if (index + 1 < times.length && stepOf(times[index + 1]) === stepOf(at)) return;
    const moment = Math.ceil(at * 1000);
    packed.push(moment - before, values[index]);
    before = moment;
  });
  return packed;
}

function unpack(packed) {
  const series = new Series();
  let moment = 0;
  for (let index = 0; index < packed.length; index += 2) {
    moment += packed[index];
    series.add(moment / 1000, packed[index + 1]);
  }
  return series;
}

const whenIdle = (action) => (globalThis.requestIdleCallback ?? setTimeout)(action);

/** @file The stocks of the watch list, in their order, kept in this browser. */

import { stockOf } from "./keys.js";

const STORED = "tradepost.watch";
/** The most stocks of a watch list; the stream watches up to 200, and positions and the ticket need some of them. */
export const MOST = 100;

/** The keys of the watched stocks. */
export class Watched {
  #changed = [];

  constructor() {
    this.keys = read();
    addEventListener("storage", (event) => {
      if (event.key !== STORED) return;
      this.keys = read();
      this.#tell();
    });
  }

  /** True if no list has ever been kept in this browser. */
  get isNew() {
    return localStorage.getItem(STORED) === null;
  }

  /** Call `action` after each change, also one in another tab. */
  onChange(action) {
    this.#changed.push(action);
  }

  /** Put these stocks in place of all. */
  replace(keys) {
    this.keys = keys.slice(0, MOST);
    localStorage.setItem(STORED, JSON.stringify(this.keys));
    this.#tell();
  }

  /** Add a stock at the end; return false if the list is full. */
  add(key) {
    if (this.keys.includes(key)) return true;
    if (this.keys.length >= MOST) return false;
    this.replace([...this.keys, key]);
    return true;
  }

  /** Remove a stock. */
  remove(key) {
    this.replace(this.keys.filter((kept) => kept !== key));
  }

  /** Move a stock up (-1) or down (1). */
  move(key, step) {
    const from = this.keys.indexOf(key);
    const to = from + step;
    if (from < 0 || to < 0 || to >= this.keys.length) return;
    const keys = [...this.keys];
    [keys[from], keys[to]] = [keys[to], keys[from]];
    this.replace(keys);
  }

  #tell() {
    for (const action of this.#changed) action();
  }
}

/** Return the kept keys; what is no key of a stock is left out. */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return [...new Set(kept)].filter((key) => stockOf(key) !== null).slice(0, MOST);
  } catch {
    return [];
  }
}

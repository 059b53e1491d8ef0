/** @file The cells that move with a stock's price: the price with its age, and amounts in grey while it is old. */

import { make } from "../../common/dom.js";
import { grouped, toneOf } from "../../common/money.js";
import { keyOf } from "../store.js";

/** Return the class of a cell whose price is old. */
export function ageTone(store, thing) {
  return store.ageOf(keyOf(thing)) ? "is-old" : "";
}

/** Return the title of a cell whose price is old, or "". */
export function ageTitle(store, thing) {
  const age = store.ageOf(keyOf(thing));
  return age && `The price is ${age} old.`;
}

/** Return the column of the last price, with its age beside it once it is old; `priceOf(thing)` returns the price or null. */
export function lastColumn(store, priceOf) {
  const textOf = (thing) => `${grouped(priceOf(thing))} ${store.ageOf(keyOf(thing))}`.trimEnd();
  return {
    name: "last",
    label: "Last",
    value: textOf,
    paint: (cell, thing) => paintPrice(cell, textOf(thing)),
    tone: (thing) => ageTone(store, thing),
    title: (thing) => ageTitle(store, thing),
    sortBy: (thing) => numberOf(priceOf(thing)),
  };
}

/** Return the members of a column of amounts that move with the price: their tone, title and order. */
export function pricedTone(store, amountOf, isPriced = () => true) {
  return {
    tone: (thing) => (isPriced(thing) && ageTone(store, thing)) || toneOf(amountOf(thing)),
    title: (thing) => (isPriced(thing) ? ageTitle(store, thing) : ""),
    sortBy: (thing) => numberOf(amountOf(thing)),
  };
}

/** Return a total with its tone and title: it is old as soon as one of the prices in it is. */
export function pricedTotal(store, amount, things) {
  const old = things.filter((thing) => ageTone(store, thing));
  if (old.length === 0) return [amount, toneOf(amount)];
  return [amount, "is-old", `The prices of ${old.length} of ${things.length} rows are old.`];
}

/** Return an amount as a number to sort by, or null. */
export const numberOf = (text) => (text === null || text === undefined ? null : Number(text));

/** Show the price, and its age in small letters: the text of the price has no space. */
function paintPrice(cell, text) {
  const [price, ...age] = text.split(" ");
  const [first, ...others] = cell.childNodes;
  // A new text in the same node costs much less than a new node.
  if (first?.nodeType === Node.TEXT_NODE && others.length === 0 && age.length === 0) first.data = price;
  else cell.replaceChildren(price, ...(age.length ? [make("small", { className: "age", textContent: ` ${age.join(" ")}` })] : []));
}

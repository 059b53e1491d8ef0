/** @file Mistakes in the values of the ticket that the desk sees before the server does, each as a sentence. */

import { grouped, hundredths } from "../../common/money.js";
import { refusedByModel } from "./refusals.js";
import { needsOf } from "./terms.js";

/** A symbol as the server takes it. */
export const SYMBOL = /^[A-Z0-9&_.-]{1,32}$/;

const AMOUNT = /^(0|[1-9]\d*)(\.\d{1,2})?$/;
const MISSING = {
  symbol: "Choose a stock.",
  quantity: "Enter a quantity.",
  price: "Enter a price.",
  triggerPrice: "Enter a trigger.",
  validityMinutes: "Enter the minutes.",
};
const CHECKS = {
  symbol: (text) => (SYMBOL.test(text) ? "" : "A symbol has letters, digits and & _ . - only."),
  quantity: (value) => wholeMistake(value, 1_000_000),
  price: (text) => amountMistake(text, "10000000.00"),
  triggerPrice: (text) => amountMistake(text, "10000000.00"),
  validityMinutes: (value) => wholeMistake(value, 1440),
  marketProtection: (text) => amountMistake(text, "100.00"),
};

/** Return the mistakes of an order by field, each as a list of one sentence; a value that is not given is none. */
export function mistakesOf(order) {
  const found = Object.entries(CHECKS).map(([name, check]) => [name, name in order ? check(order[name]) : ""]);
  return Object.fromEntries(found.filter(([, text]) => text !== "").map(([name, text]) => [name, [text]]));
}

/** Return all messages at fields that keep an order of an account from being sent. */
export function errorsOf(order, account) {
  return { ...missingOf(order), ...mistakesOf(order), ...refusedByModel(order, account) };
}

function missingOf(order) {
  const missing = needsOf(order).filter((name) => !(name in order));
  return Object.fromEntries(missing.map((name) => [name, [MISSING[name]]]));
}

function wholeMistake(value, most) {
  if (Number.isInteger(value) && value >= 1 && value <= most) return "";
  const isNumber = /^-?\d+$/.test(value);
  return `${isNumber ? "Must be" : "Must be a whole number"} from 1 to ${grouped(most)}.`;
}

function amountMistake(text, most) {
  if (AMOUNT.test(text)) {
    const amount = hundredths(text);
    return amount >= 1n && amount <= hundredths(most) ? "" : rangeText(most);
  }
  if (/^-\d+(\.\d*)?$/.test(text)) return rangeText(most);
  if (/^\d+\.\d{3,}$/.test(text)) return "At most two decimals.";
  const meant = meantBy(text);
  return meant ? `Write ${meant}.` : "Write digits, such as 1050.00.";
}

const rangeText = (most) => `Must be from 0.01 to ${grouped(most)}.`;

/** Return the number that a text with a comma for the point, or with a bare point, or with leading zeros means, or "". */
function meantBy(text) {
  const [, whole, fraction] = /^(\d*)[.,](\d{0,2})$/.exec(text) ?? /^(\d+)()$/.exec(text) ?? [];
  if (whole === undefined || whole + fraction === "") return "";
  const bare = whole.replace(/^0+(?=\d)/, "") || "0";
  return fraction ? `${bare}.${fraction}` : bare;
}

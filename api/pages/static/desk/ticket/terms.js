/** @file The terms of the ticket's order: those that its type takes, and their values as the API wants them. */

import { byId, setText } from "../../common/dom.js";
import { grouped } from "../../common/money.js";
import { keyOf } from "../store.js";
import { plainNumber } from "./numbers.js";

/** The fields of the ticket, by the API's names. */
export const FIELDS = [
  ...["exchange", "symbol", "side", "quantity", "orderType", "price", "triggerPrice", "product"],
  ...["validity", "validityMinutes", "marketProtection", "afterMarket"],
];
/** The fields that are folded away. */
export const FOLDED = ["validity", "validityMinutes", "marketProtection", "afterMarket"];

const PRICED = ["LIMIT", "STOP_LIMIT"];
const STOPS = ["STOP_LIMIT", "STOP_MARKET"];
const PROTECTED = ["MARKET", "STOP_MARKET"];
const WHOLE = /^\d{1,15}$/;
const VALIDITIES = { MARKET: ["DAY", "IOC"], LIMIT: ["DAY", "IOC", "TTL", "GTC"] };
const STOP_VALIDITIES = ["DAY", "TTL", "GTC"];

/** Return true for a stop order's type. */
export const isStop = (orderType) => STOPS.includes(orderType);

/** Return the order of the ticket; invalid values stay text, so that the API refuses them. */
export function orderOf(form) {
  const orderType = form.orderType.value;
  const order = {
    exchange: form.exchange.value,
    symbol: form.symbol.value.trim().toUpperCase(),
    side: form.side.value,
    quantity: wholeNumber(form.quantity.value),
    orderType,
    product: form.product.value,
  };
  if (PRICED.includes(orderType)) order.price = plainNumber(form.price.value);
  if (isStop(orderType)) order.triggerPrice = plainNumber(form.triggerPrice.value);
  if (form.validity.value !== "DAY") order.validity = form.validity.value;
  if (form.validity.value === "TTL") order.validityMinutes = wholeNumber(form.validityMinutes.value);
  if (PROTECTED.includes(orderType)) order.marketProtection = plainNumber(form.marketProtection.value);
  if (form.afterMarket.checked) order.afterMarket = true;
  return Object.fromEntries(Object.entries(order).filter(([, value]) => value !== ""));
}

/** Fill in the given terms; another stock clears the old prices, and another stock or a side the folded terms. */
export function fillTerms(form, given) {
  const isOther = given.symbol !== undefined && keyOf(given) !== keyOf(orderOf(form));
  if (isOther) form.price.value = form.triggerPrice.value = "";
  if (isOther || given.side) clearFolded(form);
  for (const name of FIELDS) {
    if (given[name] === undefined || given[name] === null) continue;
    if (name === "afterMarket") form[name].checked = given[name];
    else form[name].value = String(given[name]);
  }
}

function clearFolded(form) {
  form.validity.value = "DAY";
  form.validityMinutes.value = form.marketProtection.value = "";
  form.afterMarket.checked = false;
}

/** Return the fields that an order of its type and validity needs. */
export function needsOf({ orderType, validity }) {
  const needs = ["symbol", "quantity"];
  if (PRICED.includes(orderType)) needs.push("price");
  if (isStop(orderType)) needs.push("triggerPrice");
  if (validity === "TTL") needs.push("validityMinutes");
  return needs;
}

/** Show the fields that the order's type takes, and clear the others, so that no old value is sent or believed. */
export function showTerms(form) {
  const orderType = form.orderType.value;
  const isPriced = PRICED.includes(orderType);
  form.price.disabled = !isPriced;
  form.price.placeholder = isPriced ? "0.00" : "At market";
  if (!isPriced) form.price.value = "";
  showValidities(form, isStop(orderType) ? STOP_VALIDITIES : VALIDITIES[orderType]);
  showTerm(form, "triggerPrice", isStop(orderType));
  showTerm(form, "validityMinutes", form.validity.value === "TTL");
  showTerm(form, "marketProtection", PROTECTED.includes(orderType));
  const isAbove = form.side.value === "BUY";
  setText(byId("trigger-hint"), `Waits until a trade is at ${isAbove ? "or above" : "or below"} the trigger.`);
  setText(byId("more-summary"), summaryOf(form));
}

function showValidities(form, allowed) {
  for (const option of form.validity.options) option.disabled = option.hidden = !allowed.includes(option.value);
  if (!allowed.includes(form.validity.value)) form.validity.value = "DAY";
}

function showTerm(form, name, isTaken) {
  for (const part of form.querySelectorAll(`[data-term=${name}]`)) part.hidden = !isTaken;
  if (!isTaken) form[name].value = "";
}

function summaryOf(form) {
  const minutes = form.validityMinutes.value || "?";
  const validity = { DAY: "day", IOC: "at once or not (IOC)", TTL: `${minutes} minutes`, GTC: "until cancelled (GTC)" };
  const parts = [validity[form.validity.value]];
  if (form.marketProtection.value) parts.push(`protection ${grouped(form.marketProtection.value)} %`);
  if (form.afterMarket.checked) parts.push("after hours");
  return parts.join(", ");
}

function wholeNumber(text) {
  const bare = plainNumber(text);
  return WHOLE.test(bare) ? Number(bare) : bare;
}

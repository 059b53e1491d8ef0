/** @file Refusals of an order, each with the field that it is about and a sentence. */

import { grouped } from "../../common/money.js";
import { sentenceFor } from "../../common/problems.js";
import { bothClocks } from "../../common/time.js";
import { FIELDS, isStop } from "./terms.js";

const MOST_NAMED = 3;
const NAMES = {
  triggerPrice: "a trigger",
  validity: "a validity",
  afterMarket: "after hours",
  marketProtection: "protection",
};

/** What a refusal is about: its field, and a sentence made of the members of the problem document, if it has them. */
const ABOUT = {
  price_off_tick: ({ field, tickSize, lowerPrice, upperPrice }) => [
    field ?? "price",
    tickSize === undefined
      ? "The price is not a multiple of the tick size."
      : `Not a multiple of ${tickSize}. Nearest: ${[lowerPrice, upperPrice].filter(Boolean).map(grouped).join(" or ")}.`,
  ],
  quantity_off_lot: ({ lotSize }) => ["quantity", `Not a multiple of the lot size${lotSize ? ` of ${grouped(lotSize)}` : ""}.`],
  intraday_not_allowed: () => ["product", "This stock is traded as Delivery only."],
  trigger_beyond_price: () => ["triggerPrice", "The trigger lies beyond the price, so that the order could not fill."],
  trigger_on_wrong_side: ({ lastPrice }) => [
    "triggerPrice",
    `The last price${lastPrice ? `, ${grouped(lastPrice)},` : ""} has reached the trigger already.`,
  ],
  price_outside_band: ({ field, lowerCircuit, upperCircuit }) => [
    field ?? "price",
    lowerCircuit ? `Outside today's circuits, ${grouped(lowerCircuit)} to ${grouped(upperCircuit)}.` : "Outside today's circuits.",
  ],
  unknown_symbol: ({ symbol = "this symbol", nearest = [] }) => [
    "symbol",
    `Nobody has quoted or imported ${symbol}.${nearest.length > 0 ? ` Did you mean ${namesOf(nearest)}?` : ""}`,
  ],
  square_off_passed: ({ squareOffAt }) => [
    "product",
    `Intraday positions were squared off${squareOffAt ? ` at ${bothClocks(squareOffAt)}` : ""}: only what reduces one is taken.`,
  ],
  insufficient_holdings: (document) => ["quantity", sentenceFor("insufficient_holdings", document)],
  market_closed: ({ nextOpen }) => [
    null,
    `The market is closed${nextOpen ? `; it opens ${bothClocks(nextOpen)}` : ""}. "After hours" under More holds the order until then.`,
  ],
  not_simulated: ({ fields = [] }) => [firstField(fields), notSimulated(fields)],
};

/** Return { field, text } of a refusal; the field is null where the refusal is about none. */
export function refusalOf(code, document = {}) {
  const [field, text] = ABOUT[code]?.(document) ?? [null, sentenceFor(code, document)];
  return { field: FIELDS.includes(field) ? field : null, text };
}

/** Return the messages at fields against an order that the account's fill model does not simulate. */
export function refusedByModel(order, account) {
  if (account?.fillModel !== "IMMEDIATE") return {};
  if (isStop(order.orderType)) return { orderType: [notSimulated(["triggerPrice"])] };
  const given = Object.keys(NAMES).filter((name) => name in order);
  return Object.fromEntries(given.map((name) => [name, [notSimulated([name])]]));
}

/** Return the keys of the first stocks, as people say them. */
function namesOf(stocks) {
  return stocks.slice(0, MOST_NAMED).map(({ exchange, symbol }) => `${exchange} ${symbol}`).join(" or ");
}

function firstField(fields) {
  return fields.includes("triggerPrice") ? "orderType" : (fields[0] ?? null);
}

function notSimulated(fields) {
  const names = fields.map((name) => NAMES[name] ?? name).join(", ");
  return fields.includes("triggerPrice")
    ? "This account fills orders at once, so that stops are not simulated. Its fill model must be QUOTES."
    : `This account fills orders at once: ${names} cannot be simulated. Its fill model must be QUOTES.`;
}

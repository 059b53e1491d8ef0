/** @file Put the API's refusals into words for a person. */

import { Problem, Silence } from "./http.js";
import { grouped } from "./money.js";
import { dayAndClock } from "./time.js";

const SENTENCES = {
  insufficient_margin: ({ required, available }) =>
    required === undefined
      ? "The available margin is not enough."
      : `Not enough margin: this needs ${grouped(required)}, and ${grouped(available)} is available.`,
  insufficient_holdings: () => "A delivery sell needs holdings that are not promised to other orders.",
  no_price: () => "This stock has no last price yet: give a limit price.",
  account_suspended: () => "The account is suspended and may not trade.",
  market_closed: ({ nextOpen }) => `The market is closed${nextOpen ? `; it opens ${dayAndClock(nextOpen)}` : ""}.`,
  order_not_open: () => "It is no longer pending.",
  nothing_to_close: () => "All of it is already promised to pending orders.",
  forbidden: () => "This token may read but not trade.",
  rate_limited: () => "Too many orders at once: wait a second.",
};

/** Return a sentence about a refusal, by its code and the members of its document. */
export function sentenceFor(code, document = {}) {
  return SENTENCES[code]?.(document) ?? document.detail ?? code.replaceAll("_", " ");
}

/** Return a sentence about whatever went wrong with a request. */
export function sentenceOf(error) {
  if (error instanceof Problem) return sentenceFor(error.code, error.document);
  if (error instanceof Silence) return error.message;
  throw error;
}

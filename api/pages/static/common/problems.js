/** @file Sentences for the API's refusals. */

import { Problem, Silence } from "./http.js";
import { grouped } from "./money.js";
import { dayAndClock } from "./time.js";

const SENTENCES = {
  insufficient_margin: ({ required, available }) =>
    required === undefined
      ? "The available margin is not enough."
      : `Not enough margin: the order needs ${grouped(required)}, and ${grouped(available)} is available.`,
  insufficient_holdings: () => "The delivery sell is larger than the holdings that other pending orders leave.",
  no_price: () => "This stock has no last price yet: use a limit price.",
  account_suspended: () => "The account is suspended and may not trade.",
  market_closed: ({ nextOpen }) => `The market is closed${nextOpen ? `; it opens ${dayAndClock(nextOpen)} IST` : ""}.`,
  order_not_open: ({ matchedAt, origin }) => {
    if (origin === "SQUARE_OFF") return "The square-off closes the position by this order: it stays as it is.";
    return matchedAt ? "The market has traded the order already; its fill follows." : "The order has ended in the meantime.";
  },
  precondition_failed: () => "The order has changed in the meantime.",
  nothing_to_close: () => "The position is flat, or pending orders already close all of it.",
  not_closable: ({ closable }) => `No more than ${closable} can be closed.`,
  forbidden: () => "This token may read, but not trade.",
  rate_limited: () => "Too many orders at once: wait a second.",
};

/** Return a sentence for a refusal, from its code and the members of its problem document. */
export function sentenceFor(code, document = {}) {
  return SENTENCES[code]?.(document) ?? document.detail ?? code.replaceAll("_", " ");
}

/** Return a sentence for a failed request; throw any other error again. */
export function sentenceOf(error) {
  if (error instanceof Problem) return sentenceFor(error.code, error.document);
  if (error instanceof Silence) return error.message;
  throw error;
}

/** @file What the desk stores in the browser: the token, and in this tab the last event and if it may only read. */

import { Tokens } from "./tokens.js";

const LAST_EVENT = "tradepost.lastEvent";
const READS_ONLY = "tradepost.readsOnly";

export const tokens = new Tokens("tradepost.token");

/** Return the token, or null if there is none. */
export const token = () => tokens.token();

/** Store a token that works, for this tab or for all. */
export function begin(secret, options) {
  forgetTab();
  tokens.begin(secret, options);
}

/** Delete all stored data; the form shows the reason. */
export function end(reason) {
  forgetTab();
  tokens.end(reason);
}

/** Return true unless the token is known to be for reading only. */
export const mayTrade = () => sessionStorage.getItem(READS_ONLY) === null;

/** Store if the token may place orders. */
export function rememberMayTrade(may) {
  if (may) sessionStorage.removeItem(READS_ONLY);
  else sessionStorage.setItem(READS_ONLY, "yes");
}

/** Return the id of the last event, or null. */
export function lastEventId() {
  const text = sessionStorage.getItem(LAST_EVENT);
  return text === null ? null : Number(text);
}

/** Store the last event, so that a reload continues after it. */
export function rememberEvent(id) {
  sessionStorage.setItem(LAST_EVENT, String(id));
}

function forgetTab() {
  sessionStorage.removeItem(LAST_EVENT);
  sessionStorage.removeItem(READS_ONLY);
}

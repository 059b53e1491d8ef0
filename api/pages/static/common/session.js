/** @file What the desk knows of its session: the token, the last event of this tab, and if the token may trade. */

import { Tokens } from "./tokens.js";

const LAST_EVENT = "tradepost.lastEvent";

let readsOnly = false;

export const tokens = new Tokens("tradepost.token");

/** Return the token, or null if there is none. */
export const token = () => tokens.token();

/** Store a token that works, for this tab or for all. */
export function begin(secret, options) {
  sessionStorage.removeItem(LAST_EVENT);
  tokens.begin(secret, options);
}

/** Delete all stored data; the form shows the reason. */
export function end(reason) {
  sessionStorage.removeItem(LAST_EVENT);
  tokens.end(reason);
}

/** Return true unless the token is known to be for reading only. */
export const mayTrade = () => !readsOnly;

/** Remember if the token may place orders. */
export function rememberMayTrade(may) {
  readsOnly = !may;
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

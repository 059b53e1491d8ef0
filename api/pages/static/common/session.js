/** @file The data that this tab stores: the token, the last event, and if the token may only read. */

const TOKEN = "tradepost.token";
const LAST_EVENT = "tradepost.lastEvent";
const READS_ONLY = "tradepost.readsOnly";

/** Return the token, or null if there is none. */
export const token = () => sessionStorage.getItem(TOKEN);

/** Store a token that works. */
export function begin(secret) {
  sessionStorage.setItem(TOKEN, secret);
  sessionStorage.removeItem(LAST_EVENT);
}

/** Delete all stored data. */
export function end() {
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(LAST_EVENT);
  sessionStorage.removeItem(READS_ONLY);
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

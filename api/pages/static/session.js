/** @file What this tab remembers: the token, and the last event that it has seen. */

const TOKEN = "tradepost.token";
const LAST_EVENT = "tradepost.lastEvent";
const READS_ONLY = "tradepost.readsOnly";

/** Return the token, or null before it was given. */
export const token = () => sessionStorage.getItem(TOKEN);

/** Remember a token that works. */
export function begin(secret) {
  sessionStorage.setItem(TOKEN, secret);
  sessionStorage.removeItem(LAST_EVENT);
}

/** Forget everything. */
export function end() {
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(LAST_EVENT);
  sessionStorage.removeItem(READS_ONLY);
}

/** Say whether the token may place orders, as far as is known. */
export const mayTrade = () => sessionStorage.getItem(READS_ONLY) === null;

/** Remember whether the token may place orders. */
export function rememberMayTrade(may) {
  if (may) sessionStorage.removeItem(READS_ONLY);
  else sessionStorage.setItem(READS_ONLY, "yes");
}

/** Return the id of the last event seen, or null. */
export function lastEventId() {
  const text = sessionStorage.getItem(LAST_EVENT);
  return text === null ? null : Number(text);
}

/** Remember the last event seen, so that a reload goes on from it. */
export function rememberEvent(id) {
  sessionStorage.setItem(LAST_EVENT, String(id));
}

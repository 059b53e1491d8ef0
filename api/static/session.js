/** @file What this tab remembers: the token, and the last event that it has seen. */

const TOKEN = "tradepost.token";
const LAST_EVENT = "tradepost.lastEvent";

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

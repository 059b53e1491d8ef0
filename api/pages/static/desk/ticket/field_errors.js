/** @file Messages at the fields of the ticket. */

import { byId, debounce, setText } from "../../common/dom.js";
import { mistakesOf } from "./mistakes.js";
import { FIELDS, FOLDED, orderOf } from "./terms.js";

// Typing has paused.
const PAUSE = 700;

// The place of the others is always there, so that a message moves nothing.
const HIDDEN_WHEN_EMPTY = ["exchange", "side", "orderType", "product", "afterMarket"];

/** Show the messages at their fields, and clear the other fields. */
export function showFieldErrors(form, errors) {
  for (const name of FIELDS) {
    const text = (errors[name] ?? []).join(" ");
    const place = byId(`${name}-error`);
    setText(place, text);
    if (HIDDEN_WHEN_EMPTY.includes(name)) place.hidden = text === "";
    for (const control of form.querySelectorAll(`[name=${name}]`)) {
      if (text) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
  }
  if (FOLDED.some((name) => errors[name]?.length)) byId("more").open = true;
}

/** Return the messages that are shown now, by field. */
export function currentErrors() {
  return Object.fromEntries(FIELDS.map((name) => [name, [byId(`${name}-error`).textContent].filter(Boolean)]));
}

/** Say mistakes at their fields when the typing pauses, and when a field is left. */
export function watchMistakes(form) {
  form.addEventListener("input", debounce(() => showMistakes(form), PAUSE));
  form.addEventListener("focusout", () => showMistakes(form));
}

/** Show the mistakes; a name of a stock that is being searched for is none. */
function showMistakes(form) {
  const { symbol, ...mistakes } = mistakesOf(orderOf(form));
  if (symbol && document.activeElement !== form.symbol) mistakes.symbol = symbol;
  if (Object.keys(mistakes).length > 0) showFieldErrors(form, { ...currentErrors(), ...mistakes });
}

/** Focus the first field with a message. */
export function focusFirstError(form) {
  form.querySelector("[aria-invalid=true]:not(:disabled)")?.focus();
}

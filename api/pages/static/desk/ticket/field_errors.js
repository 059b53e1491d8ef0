/** @file Messages at the fields of the ticket. */

import { byId, setText } from "../../common/dom.js";
import { FIELDS, FOLDED } from "./terms.js";

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

/** Focus the first field with a message. */
export function focusFirstError(form) {
  form.querySelector("[aria-invalid=true]:not(:disabled)")?.focus();
}

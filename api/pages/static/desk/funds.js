/** @file The account's money. */

import { byId, setText } from "../common/dom.js";
import { grouped, signed, toneOf } from "../common/money.js";

/** Show the funds, and update them when the store changes. */
export function showFunds(store) {
  const fields = [...byId("funds").querySelectorAll("[data-field]")];
  store.on(["account"], () => {
    setText(byId("account-name"), store.account.name);
    byId("account-status").hidden = store.account.status === "ACTIVE";
    setText(byId("account-status"), store.account.status === "SUSPENDED" ? "Suspended" : store.account.status);
    for (const field of fields) showField(field, store.account[field.dataset.field]);
    byId("funds").parentElement.removeAttribute("aria-busy");
  });
}

function showField(field, amount) {
  const isSigned = "signed" in field.dataset;
  setText(field, isSigned ? signed(amount) : grouped(amount));
  if (isSigned) field.className = toneOf(amount);
}

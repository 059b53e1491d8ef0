/** @file The account's money, and what the day has brought after charges. */

import { byId, setText } from "../common/dom.js";
import { difference, fromHundredths, grouped, hundredths, signed, toneOf } from "../common/money.js";

const FIGURES = {
  dayNet: ({ dayCharges, positions }) => {
    const gross = dayPnlOf(positions);
    return gross === null || dayCharges === null ? null : difference(gross, dayCharges);
  },
  dayCharges: (store) => store.dayCharges,
};

/** Show the funds, and update them when the store changes. */
export function showFunds(store) {
  const fields = [...byId("funds").querySelectorAll("[data-field]")];
  store.on(["account", "positions"], () => {
    if (!store.account) return;
    setText(byId("account-name"), store.account.name);
    byId("account-status").hidden = store.account.status === "ACTIVE";
    setText(byId("account-status"), store.account.status === "SUSPENDED" ? "Suspended" : store.account.status);
    for (const field of fields) showField(field, figureOf(store, field.dataset.field));
    byId("funds").parentElement.removeAttribute("aria-busy");
  });
}

function figureOf(store, name) {
  return name in FIGURES ? FIGURES[name](store) : store.account[name];
}

/** Return the sum of the positions' profit of the day without charges; null if a position lacks a price for it. */
function dayPnlOf(positions) {
  let sum = 0n;
  for (const { dayPnl } of positions.values()) {
    if (dayPnl === null || dayPnl === undefined) return null;
    sum += hundredths(dayPnl);
  }
  return fromHundredths(sum);
}

function showField(field, amount) {
  const isSigned = "signed" in field.dataset;
  setText(field, isSigned ? signed(amount) : grouped(amount));
  const tone = isSigned ? toneOf(amount) : "";
  if (field.className !== tone) field.className = tone;
}

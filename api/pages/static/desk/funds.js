/** @file The account's money, and what the day has brought after charges: the same figures as the totals of the positions. */

import { byId, setText } from "../common/dom.js";
import { grouped, signed, toneOf } from "../common/money.js";
import { onProfit } from "./books/live.js";

/** Show the funds, and update them when the store changes. */
export function showFunds(store) {
  const [still, moving] = ["dd:not([data-signed])", "dd[data-signed]"].map((kind) => [...byId("funds").querySelectorAll(kind)]);
  store.on(["account", "charges"], () => {
    if (!store.account) return;
    setText(byId("account-name"), store.account.name);
    byId("account-status").hidden = store.account.status === "ACTIVE";
    setText(byId("account-status"), store.account.status === "SUSPENDED" ? "Suspended" : store.account.status);
    const amounts = { ...store.account, dayCharges: store.dayCharges };
    for (const field of still) setText(field, grouped(amounts[field.dataset.field]));
    byId("funds").parentElement.removeAttribute("aria-busy");
  });
  onProfit(store, ({ unrealized, net, age }) => {
    const amounts = { unrealizedPnl: unrealized, dayNet: net };
    for (const field of moving) showMoving(field, amounts[field.dataset.field], age);
  });
}

/** Show a figure that moves with the market: in grey and with its age if a price in it is old. */
function showMoving(field, amount, age) {
  setText(field, signed(amount));
  setText(field.previousElementSibling.querySelector(".age"), age);
  const tone = age ? "is-old" : toneOf(amount);
  if (field.className !== tone) field.className = tone;
}

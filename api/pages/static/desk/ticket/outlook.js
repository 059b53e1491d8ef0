/** @file Sentences about an order that is not placed yet: when it would fill, and the position after it. */

import { fromHundredths, grouped, hundredths } from "../../common/money.js";
import { bothClocks } from "../../common/time.js";

/** Return a sentence that says at which price the order would fill now, or for what it would wait. */
export function outlookOf(preview, order, store) {
  if (preview.wouldFill) return `Fills now at ${grouped(preview.fillPrice)}`;
  const { side } = order;
  const isBuy = side === "BUY";
  const sentences = {
    price: () => `Rests until ${isBuy ? "the ask is at or below" : "the bid is at or above"} ${amountText(order.price ?? preview.price)}`,
    trigger: () => `Waits for a trade at or ${isBuy ? "above" : "below"} ${amountText(order.triggerPrice)}`,
    quote: () => "Waits for the next quote: the present one is too old or missing",
    session: () => `Waits for the session${opening(order, store)}`,
  };
  return sentences[preview.wouldWaitFor]?.() ?? "Ends at once without a fill: the market is not at this price";
}

/** Return a sentence about the effect of the order on the position, and the position after it. */
export function effectOf({ closingQuantity, openingQuantity }, { side, quantity }, held) {
  const parts = [];
  if (closingQuantity) parts.push(`closes ${grouped(closingQuantity)}`);
  if (openingQuantity) parts.push(`opens ${grouped(openingQuantity)} ${side === "BUY" ? "long" : "short"}`);
  if (held !== 0) parts.push(`then ${positionText(held + (side === "BUY" ? quantity : -quantity))}`);
  const text = parts.join(", ");
  return text && text[0].toUpperCase() + text.slice(1);
}

/** Return the signed quantity that an account holds in the stock and product of an order. */
export function heldBy(store, { exchange, symbol, product }) {
  const found = [...store.positions.values()].find(
    (position) => position.exchange === exchange && position.symbol === symbol && position.product === product,
  );
  return found?.quantity ?? 0;
}

function positionText(quantity) {
  if (quantity === 0) return "flat";
  return `${grouped(Math.abs(quantity))} ${quantity > 0 ? "long" : "short"} in all`;
}

/** Return a typed amount with its two decimals: "2550" is "2,550.00". */
function amountText(typed) {
  return grouped(fromHundredths(hundredths(typed)));
}

/** Return the next opening of the stock of an order, if the market's clock has told it. */
export function nextOpenOf({ exchange, symbol }, store) {
  const name = store.quotes.get(`${exchange}:${symbol}`)?.sessionClass ?? "NORMAL";
  return store.clock?.sessions?.find(({ sessionClass }) => sessionClass === name)?.nextOpensAt ?? undefined;
}

function opening(order, store) {
  const moment = nextOpenOf(order, store);
  return moment ? `, which opens ${bothClocks(moment)}` : "";
}

/** @file Sentences about an order that was placed. */

import { grouped } from "../../common/money.js";
import { nameOf } from "../../common/words.js";
import { refusalOf } from "./refusals.js";

/** Return a sentence about an order that has ended without a fill and without the person, or null. */
export function endOf({ status, rejectionReason, endReason }) {
  if (status === "REJECTED") return `Rejected: ${refusalOf(rejectionReason).text}`;
  return endReason === "ioc" ? "Ended without a fill: the market was not at its price." : null;
}

/** Return the terms of an order as text: "buy 10 RELIANCE at 2,500.00". */
export function describe({ side, quantity, symbol, orderType, price, triggerPrice }) {
  const limit = price === null ? "at market" : `at ${grouped(price)}`;
  const stop = orderType.startsWith("STOP") ? ` when ${grouped(triggerPrice)} is traded` : "";
  return `${nameOf(side).toLowerCase()} ${grouped(quantity)} ${symbol} ${limit}${stop}`;
}

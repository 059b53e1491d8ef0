/** @file Close a position, all of it or a part: a field for the quantity, and a button that is pressed twice. */

import { make, notify } from "../../common/dom.js";
import { Problem, send } from "../../common/http.js";
import { grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { mayTrade } from "../../common/session.js";
import { nameOf, productName } from "../../common/words.js";
import { positionToTicket } from "./to_ticket.js";
import { askTwice } from "../../common/two_step.js";

const closing = new Set();

/** Return a text that changes when the look of a position's button changes. */
export function closingState(position) {
  if (position.quantity === 0 || !mayTrade()) return "";
  if (closing.has(position.positionId)) return "closing";
  return `${position.quantity} ${position.lastPrice === null ? "unpriced" : "priced"}`;
}

/** Show the field and the button of a position. */
export function paintClosing(cell, position, { store, table }) {
  if (closingState(position) === "") return cell.replaceChildren();
  const current = () => store.positions.get(position.positionId);
  if (!cell.firstChild) cell.append(...makeControls(position, { current, repaint: () => table().update([current()]) }));
  const [field, button] = cell.children;
  const size = String(Math.abs(position.quantity));
  // A quantity that the person has typed stays; one that follows the position goes on following it.
  if (field.value === field.dataset.follows || field.value === "") field.value = size;
  field.dataset.follows = size;
  button.setAttribute("aria-disabled", String(closing.has(position.positionId)));
  button.refresh();
  return undefined;
}

function makeControls(position, { current, repaint }) {
  const name = `${position.symbol} ${productName(position.product)}`;
  const field = make("input", { className: "num close-quantity", type: "text", inputMode: "numeric", autocomplete: "off" });
  field.setAttribute("aria-label", `How many ${name} to close`);
  const button = make("button", { type: "button", className: "quiet two-step" });
  const chosen = () => readQuantity(field, current());
  askTwice(button, { words: () => wordsFor(current(), chosen()), act: () => close(current(), chosen(), { repaint, field }) });
  button.addEventListener("click", (event) => refuseBadQuantity(event, field, current()), true);
  field.oninput = () => {
    field.removeAttribute("aria-invalid");
    button.refresh();
  };
  field.onkeydown = (event) => event.key === "Enter" && button.focus();
  return [field, button];
}

/** Return the quantity in the field: a whole number from 1 to the position's, or null. */
function readQuantity(field, position) {
  const text = field.value.replaceAll(",", "").trim();
  const quantity = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return quantity >= 1 && quantity <= Math.abs(position.quantity) ? quantity : null;
}

/** Without a valid quantity the press does nothing but say so; without a price it fills the ticket. */
function refuseBadQuantity(event, field, position) {
  const quantity = readQuantity(field, position);
  if (quantity !== null && position.lastPrice !== null) return;
  event.stopImmediatePropagation();
  if (quantity === null) {
    field.setAttribute("aria-invalid", "true");
    field.focus();
    notify(`Enter a quantity from 1 to ${grouped(Math.abs(position.quantity))}.`, "problem");
  } else {
    positionToTicket(position, quantity);
    notify(`${position.symbol} has no price: the ticket has a limit order that closes it. Enter its price.`);
  }
}

function wordsFor(position, quantity) {
  const name = `${position.symbol} ${productName(position.product)}`;
  if (closing.has(position.positionId)) return { calm: "Closing", label: `Closing ${name}` };
  if (position.lastPrice === null) return { calm: "Ticket", label: `Close ${name} by a limit order` };
  const side = position.quantity < 0 ? "buy" : "sell";
  return {
    calm: "Close",
    armed: "Sure?",
    label: `Close ${name}`,
    question: `Press again to close ${name}: ${side} ${grouped(quantity ?? 0)} at market.`,
  };
}

async function close(position, quantity, { repaint, field }) {
  closing.add(position.positionId);
  repaint();
  const isPart = quantity < Math.abs(position.quantity);
  try {
    const path = `/api/trading/positions/${position.positionId}/close`;
    const options = { headers: { "Idempotency-Key": crypto.randomUUID() }, ...(isPart ? { body: { quantity } } : {}) };
    const { order } = await send("POST", path, options);
    // The field follows the position again: the quantity that was typed has been used.
    if (field.isConnected) field.value = "";
    notify(`Closing ${position.symbol}: ${nameOf(order.side).toLowerCase()} ${grouped(order.quantity)} at market.`);
  } catch (error) {
    if (error instanceof Problem && error.code === "no_price") positionToTicket({ ...position, lastPrice: null }, quantity);
    notify(`${position.symbol} was not closed. ${sentenceOf(error)}`, "problem");
  } finally {
    closing.delete(position.positionId);
    repaint();
  }
}

/** @file The estimate of fill, margin and charges, requested from the server while the ticket is being filled in. */

import { byId, debounce, setText } from "../../common/dom.js";
import { Problem, send } from "../../common/http.js";
import { NOTHING, grouped } from "../../common/money.js";
import { chargeName, list } from "../books/order_detail.js";
import { effectOf, heldBy, nextOpenOf, outlookOf } from "./outlook.js";
import { refusalOf } from "./refusals.js";

const FIELDS = ["price", "margin", "charges", "availableMarginAfter"];
const QUIET = 200;

/** The estimate below the ticket, which has the order, or null while it is incomplete or mistaken. */
export class Estimate {
  #asking = null;

  constructor(ticket, store) {
    this.ticket = ticket;
    this.store = store;
    this.refresh = debounce(() => this.#ask(), QUIET);
  }

  async #ask() {
    this.#asking?.abort();
    const order = this.ticket.completeOrder();
    if (!order) return this.#showNothing("");
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const preview = await send("POST", "/api/trading/orders/preview", { body: order, signal: asking.signal });
      return this.#show(preview, order);
    } catch (error) {
      return asking.signal.aborted ? undefined : this.#showNothing(reasonOf(error));
    }
  }

  #show(preview, order) {
    for (const field of FIELDS) setText(valueOf(field), grouped(preview[field]));
    const items = Object.entries(preview.chargeItems).map(([name, amount]) => [chargeName(name), grouped(amount)]);
    byId("charge-items").replaceChildren(...list(items).children);
    byId("estimate").dataset.state = "known";
    const refusal = preview.refusal;
    setText(byId("outlook"), refusal ? "" : outlookOf(preview, order, this.store));
    byId("outlook").dataset.fills = String(preview.wouldFill);
    const nextOpen = refusal && nextOpenOf(order, this.store);
    this.#say(refusal ? wouldBeRefused(refusal, { nextOpen }) : effectOf(preview, order, heldBy(this.store, order)), refusal);
  }

  #showNothing(text) {
    for (const field of FIELDS) setText(valueOf(field), NOTHING);
    byId("estimate").dataset.state = "empty";
    byId("charge-items").replaceChildren(...list([["Not known yet", NOTHING]]).children);
    const isMistaken = !text && this.ticket.isMistaken();
    setText(byId("outlook"), text ? "" : `${isMistaken ? "Correct" : "Complete"} the order for an estimate.`);
    byId("outlook").dataset.fills = "unknown";
    this.#say(text, text !== "");
  }

  #say(text, isRefusal) {
    setText(byId("verdict"), text);
    byId("verdict").classList.toggle("is-refusal", Boolean(isRefusal));
  }
}

function reasonOf(error) {
  if (!(error instanceof Problem)) return "No estimate: the server does not answer.";
  if (error.code === "validation_failed") return "";
  return wouldBeRefused(error.code, error.document);
}

function wouldBeRefused(code, document) {
  const { text } = refusalOf(code, document);
  return `Would be refused: ${text[0].toLowerCase()}${text.slice(1)}`;
}

function valueOf(field) {
  return byId("estimate").querySelector(`[data-estimate=${field}]`);
}

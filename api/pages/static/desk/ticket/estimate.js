/** @file The estimate of fill, margin and charges, requested from the server while the ticket is being filled in. */

import { byId, debounce, setText } from "../../common/dom.js";
import { Problem, send } from "../../common/http.js";
import { NOTHING, grouped } from "../../common/money.js";
import { chargeName, list } from "../books/order_detail.js";
import { effectOf, heldBy, nextOpenOf, outlookOf } from "./outlook.js";
import { refusalOf } from "./refusals.js";

const FIELDS = ["price", "margin", "charges", "availableMarginAfter"];
const QUIET = 200;
// The estimate follows the ticks of its stock at this pace.
const PACE = 1000;

/** The estimate below the ticket, which has the order, or null while it is incomplete or mistaken. */
export class Estimate {
  #asking = null;
  #askedAt = 0;
  #timer = 0;
  #isFollowing = false;
  #items = "";

  constructor(ticket, store) {
    this.ticket = ticket;
    this.store = store;
    this.refresh = debounce(() => this.#ask(), QUIET);
    // A burst of fills changes these many times, too.
    store.on(["account", "positions"], () => this.#follow());
    store.on(["quotes"], (changed) => changed.has(ticket.stock.key) && this.#follow());
  }

  /** Ask again after a change of the market or the account, at most once a second; a slow server is waited for. */
  #follow() {
    if (this.#timer) return;
    const pause = Math.max(QUIET, this.#askedAt + PACE - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      if (this.#asking) this.#follow();
      else this.#ask({ isFollowing: true });
    }, pause);
  }

  async #ask({ isFollowing = false } = {}) {
    this.#isFollowing = isFollowing;
    this.#asking?.abort();
    this.#asking = null;
    const order = this.ticket.completeOrder();
    if (!order) return this.#showNothing("");
    const asking = new AbortController();
    this.#asking = asking;
    this.#askedAt = performance.now();
    try {
      const preview = await send("POST", "/api/trading/orders/preview", { body: order, signal: asking.signal });
      return this.#show(preview, order);
    } catch (error) {
      return asking.signal.aborted ? undefined : this.#showNothing(reasonOf(error));
    } finally {
      if (this.#asking === asking) this.#asking = null;
    }
  }

  #show(preview, order) {
    for (const field of FIELDS) setText(valueOf(field), grouped(preview[field]));
    this.#showItems(Object.entries(preview.chargeItems).map(([name, amount]) => [chargeName(name), grouped(amount)]));
    byId("estimate").dataset.state = "known";
    const refusal = preview.refusal;
    this.#foresee(refusal ? "" : outlookOf(preview, order, this.store), String(preview.wouldFill));
    const nextOpen = refusal && nextOpenOf(order, this.store);
    this.#say(refusal ? wouldBeRefused(refusal, { nextOpen }) : effectOf(preview, order, heldBy(this.store, order)), refusal);
  }

  #showNothing(text) {
    for (const field of FIELDS) setText(valueOf(field), NOTHING);
    byId("estimate").dataset.state = "empty";
    this.#showItems([["Not known yet", NOTHING]]);
    const isMistaken = !text && this.ticket.isMistaken();
    this.#foresee(text ? "" : `${isMistaken ? "Correct" : "Complete"} the order for an estimate.`, "unknown");
    this.#say(text, text !== "");
  }

  /** Show the outlook; a screen reader is told of the market only when it changes its kind. */
  #foresee(text, kind) {
    const outlook = byId("outlook");
    outlook.setAttribute("aria-live", this.#isFollowing && outlook.dataset.fills === kind ? "off" : "polite");
    outlook.dataset.fills = kind;
    setText(outlook, text);
  }

  #showItems(items) {
    const text = JSON.stringify(items);
    if (text !== this.#items) byId("charge-items").replaceChildren(...list(items).children);
    this.#items = text;
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

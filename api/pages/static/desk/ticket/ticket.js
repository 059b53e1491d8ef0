/** @file The order ticket: the form with its estimate, its placement, and errors shown at their fields. */

import { Combobox } from "../market/combobox.js";
import { findStocks, readStocks } from "../market/stock_search.js";
import { byId, setText } from "../../common/dom.js";
import { Estimate } from "./estimate.js";
import { currentErrors, focusFirstError, showFieldErrors, watchMistakes } from "./field_errors.js";
import { errorsOf, mistakesOf } from "./mistakes.js";
import { plainNumber } from "./numbers.js";
import { Problem, Silence, send } from "../../common/http.js";
import { grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { describe, endOf } from "./placed.js";
import { refusalOf, refusedByModel } from "./refusals.js";
import * as session from "../../common/session.js";
import { StockLine } from "./stock_line.js";
import { SymbolQuestion } from "./symbol_question.js";
import { FIELDS, fillTerms, orderOf, showTerms } from "./terms.js";
import { nameOf } from "../../common/words.js";

// Enter held down, or pressed twice within this time, places one order.
const SAME_AGAIN_AFTER = 500;

let ticket = null;
/** What a row has asked for before the ticket was there: the tables are painted first. */
let waiting = null;

/** Start the ticket. */
export function startTicket(store) {
  ticket = new Ticket(byId("ticket"), store);
  if (waiting) fillTicket(...waiting);
}

/**
 * Fill the ticket in, with any of its fields.
 *
 * Another stock clears the old prices, and another stock or a side the folded terms: those of one order are not for the
 * next. The quantity is focused, unless `isFocused` is false.
 */
export function fillTicket(given, { isFocused = true } = {}) {
  if (!ticket) {
    waiting = [given, { isFocused }];
    return;
  }
  ticket.fill(given);
  if (isFocused) ticket.focus("quantity");
}

class Ticket {
  /** The body and key of a placement without an answer: sent again with its key, it places no second order. */
  #unanswered = null;
  #isPlacing = false;
  #accepted = { text: "", at: 0, orderId: null };

  constructor(form, store) {
    this.form = form;
    this.store = store;
    this.estimate = new Estimate(this, store);
    this.stock = new StockLine(form, store, (price) => this.#takePrice(price));
    this.question = new SymbolQuestion(byId("submit"), this.stock);
    this.stocks = new Combobox({
      input: form.symbol,
      list: byId("symbol-list"),
      find: (text) => findStocks(text, form.exchange.value),
      chosen: (stock, { isLeft }) => this.#choose(stock, isLeft),
      closed: () => this.estimate.refresh(),
    });
    form.addEventListener("input", (event) => this.#change(event.target.name));
    watchMistakes(form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#place();
    });
    document.addEventListener("keydown", (event) => this.#shortcut(event));
    store.on(["orders"], () => this.#followAccepted());
    this.#change();
    if (!session.mayTrade()) this.#refuseToTrade();
  }

  /** Return the order if it is complete enough for an estimate, or null. */
  completeOrder() {
    const order = orderOf(this.form);
    return this.stocks.isUndecided || hasAny(errorsOf(order, this.store.account)) ? null : order;
  }

  /** Return true if a value is wrong, and not only missing. */
  isMistaken() {
    return !this.stocks.isUndecided && hasAny(mistakesOf(orderOf(this.form)));
  }

  /** Fill in the given fields; a price needs an order type that takes one. */
  fill(given) {
    fillTerms(this.form, given);
    showFieldErrors(this.form, {});
    this.#change("symbol");
  }

  /** Focus a field, and select its text, so that typing replaces it. */
  focus(name) {
    const field = this.form[name];
    field.scrollIntoView({ block: "nearest" });
    field.focus();
    field.select();
  }

  #choose(stock, isLeft) {
    this.form.exchange.value = stock.exchange;
    this.store.putQuotes([stock]);
    this.#change("symbol");
    if (!isLeft) this.focus("quantity");
  }

  /** Take a side of the book as the limit, or as the trigger of a stop without one. */
  #takePrice(price) {
    const { form } = this;
    if (form.orderType.value === "MARKET") form.orderType.value = "LIMIT";
    const name = form.orderType.value === "STOP_MARKET" ? "triggerPrice" : "price";
    showTerms(form);
    form[name].value = price;
    this.#change(name);
  }

  #change(name) {
    const { form } = this;
    form.dataset.side = form.side.value;
    showTerms(form);
    this.#nameOrder();
    if (name) {
      this.#accepted.orderId = null;
      showFieldErrors(form, { ...currentErrors(), [name]: [], ...(name === "orderType" ? { price: [], triggerPrice: [] } : {}) });
      this.#say("");
    }
    this.#showModelRefusal(name);
    this.stock.show();
    if (name === "symbol" || name === "exchange" || !name) this.stock.follow();
    this.estimate.refresh();
  }

  /** Say at once that the account's fill model does not take these terms. */
  #showModelRefusal(name) {
    const errors = refusedByModel(orderOf(this.form), this.store.account);
    if (name && hasAny(errors)) showFieldErrors(this.form, { ...currentErrors(), ...errors });
  }

  async #place() {
    const body = orderOf(this.form);
    const text = JSON.stringify(body);
    if (this.#isPlacing || !session.mayTrade() || this.#isRepeated(text)) return;
    const errors = errorsOf(body, this.store.account);
    if (hasAny(errors)) return void this.#showErrors(errors);
    this.#setPlacing(true);
    try {
      if (await this.question.isSettled(body, text, (...said) => this.#say(...said))) await this.#send(body, text);
    } finally {
      this.#setPlacing(false);
    }
  }

  async #send(body, text) {
    const key = this.#unanswered?.text === text ? this.#unanswered.key : crypto.randomUUID();
    this.#unanswered = null;
    this.#nameOrder();
    this.#say("");
    try {
      const headers = { "Idempotency-Key": key };
      const placement = await send("POST", "/api/trading/orders", { body, headers });
      this.#accepted = { text, at: Date.now(), orderId: placement.orderId };
      showFieldErrors(this.form, {});
      this.#say(`Accepted: ${describe(placement.order)}.`, "success");
      this.#followAccepted();
    } catch (error) {
      this.#refused(error, { text, key });
    }
  }

  /** Name the order on the button, and take back a question about its symbol. */
  #nameOrder() {
    const { side, symbol, quantity } = this.form;
    const parts = [grouped(plainNumber(quantity.value)), symbol.value.trim().toUpperCase()];
    this.question.withdraw();
    setText(byId("submit"), `${nameOf(side.value)} ${parts.filter(Boolean).join(" ")}`);
  }

  /** Say of the order that was accepted last if it has ended without a fill. */
  #followAccepted() {
    const order = this.store.orders.get(this.#accepted.orderId);
    const end = order && endOf(order);
    if (!end) return;
    this.#accepted.orderId = null;
    this.#say(end, "problem");
  }

  #isRepeated(text) {
    const isRepeated = this.#accepted.text === text && Date.now() - this.#accepted.at < SAME_AGAIN_AFTER;
    if (isRepeated) this.#accepted.at = Date.now();
    return isRepeated;
  }

  #refused(error, attempt) {
    const isUnknown = error instanceof Silence || error.status >= 500;
    if (isUnknown) this.#unanswered = attempt;
    if (!(error instanceof Problem)) return this.#say(`${sentenceOf(error)}${RETRY}`, "problem");
    if (error.code === "forbidden") return this.#refuseToTrade();
    const { field, text } = refusalOf(error.code, error.document);
    const errors = field ? { [field]: [text] } : error.errors;
    if (hasAny(errors)) return this.#showErrors(errors, error.document.nearest);
    showFieldErrors(this.form, {});
    return this.#say(text + (isUnknown ? RETRY : ""), "problem");
  }

  /** Show messages at their fields, and suggest the stocks that are nearest to an unknown symbol. */
  #showErrors(errors, nearest = []) {
    showFieldErrors(this.form, errors);
    const others = Object.entries(errors).filter(([name]) => !FIELDS.includes(name));
    const rest = others.map(([name, messages]) => `${name}: ${messages.join(" ")}`).join(" ");
    // The list of suggestions covers the message at the field.
    const reason = nearest.length > 0 ? `Not placed. ${errors.symbol[0]}` : "Not placed: correct the marked fields.";
    this.#say(rest || reason, "problem");
    focusFirstError(this.form);
    if (nearest.length > 0) this.stocks.offer(readStocks(nearest));
  }

  #refuseToTrade() {
    session.rememberMayTrade(false);
    byId("submit").disabled = true;
    this.#say("This token may only read. It cannot trade.", "problem");
  }

  #setPlacing(isPlacing) {
    this.#isPlacing = isPlacing;
    byId("submit").setAttribute("aria-busy", String(isPlacing));
  }

  #say(text, kind = "") {
    byId("ticket-message").dataset.kind = kind;
    setText(byId("ticket-message"), text);
  }

  #shortcut(event) {
    const side = { KeyB: "BUY", KeyS: "SELL" }[event.code];
    if (!side || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || byId("detail").open) return;
    event.preventDefault();
    this.form.side.value = side;
    this.#change("side");
    this.focus("symbol");
  }
}

const hasAny = (errors) => Object.keys(errors).length > 0;
const RETRY = " Press again to retry: the order cannot be placed twice.";

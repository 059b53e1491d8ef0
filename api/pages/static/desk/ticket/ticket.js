/** @file The order ticket: the form with its estimate, its placement, and errors shown at their fields. */

import { Combobox } from "../market/combobox.js";
import { byId, debounce, setText } from "../../common/dom.js";
import { Estimate } from "./estimate.js";
import { Problem, Silence, get, send } from "../../common/http.js";
import { grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import * as session from "../../common/session.js";
import { nameOf } from "../../common/words.js";

const FIELDS = ["exchange", "symbol", "side", "quantity", "orderType", "price", "product"];
const AMOUNT = /^\d{1,8}(\.\d{1,2})?$/;
const HINT_POLL = 2000;
// Enter held down, or pressed twice within this time, places one order.
const SAME_AGAIN_AFTER = 500;

/** Start the ticket. */
export function startTicket(store) {
  const ticket = new Ticket(byId("ticket"));
  store.on(["account", "positions"], () => ticket.estimate.refresh());
}

class Ticket {
  /** The body and key of a placement without an answer: sent again with its key, it places no second order. */
  #unanswered = null;
  #isPlacing = false;
  #accepted = { text: "", at: 0 };

  constructor(form) {
    this.form = form;
    this.estimate = new Estimate(() => this.completeOrder());
    this.lookUp = debounce(() => this.#showLastPrice(), 200);
    this.stocks = new Combobox({
      exchangeOf: () => form.exchange.value,
      chosen: () => this.#change("symbol"),
      closed: () => this.estimate.refresh(),
    });
    form.addEventListener("input", (event) => this.#change(event.target.name));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#place();
    });
    document.addEventListener("keydown", (event) => this.#shortcut(event));
    setInterval(() => document.visibilityState === "visible" && this.#showLastPrice(), HINT_POLL);
    this.#change();
    if (!session.mayTrade()) this.#refuseToTrade();
  }

  /** Return the order of the ticket; invalid values stay text, so that the API refuses them. */
  order() {
    const { exchange, symbol, side, quantity, orderType, price, product } = this.form;
    const size = quantity.value.trim();
    const order = {
      exchange: exchange.value,
      symbol: symbol.value.trim(),
      side: side.value,
      quantity: /^\d{1,15}$/.test(size) ? Number(size) : size,
      orderType: orderType.value,
      product: product.value,
    };
    if (orderType.value === "LIMIT") order.price = price.value.trim();
    return Object.fromEntries(Object.entries(order).filter(([, value]) => value !== ""));
  }

  /** Return the order if it is complete enough for an estimate, or null. */
  completeOrder() {
    if (this.stocks.isUndecided) return null;
    const order = this.order();
    const isPriced = order.orderType === "MARKET" || AMOUNT.test(order.price ?? "");
    return order.symbol && Number.isInteger(order.quantity) && order.quantity > 0 && isPriced ? order : null;
  }

  #change(name) {
    const { side, orderType, price, symbol, quantity } = this.form;
    this.form.dataset.side = side.value;
    price.disabled = orderType.value === "MARKET";
    price.placeholder = price.disabled ? "At market" : "0.00";
    const size = quantity.value.trim();
    const what = [size && grouped(size), symbol.value.trim().toUpperCase()].filter(Boolean).join(" ");
    setText(byId("submit"), `${nameOf(side.value)} ${what}`);
    if (name) showFieldErrors(this.form, { ...currentErrors(), [name]: [] });
    if (name === "symbol" || name === "exchange" || !name) this.lookUp();
    this.estimate.refresh();
  }

  async #showLastPrice() {
    const symbol = this.form.symbol.value.trim().toUpperCase();
    if (!/^[A-Z0-9&_.-]{1,32}$/.test(symbol)) return void setText(byId("symbol-hint"), "");
    const query = { prefix: symbol, exchange: this.form.exchange.value, limit: 1 };
    const page = await get("/api/market/stocks", query).catch(() => null);
    const stock = page?.data[0];
    const isKnown = stock?.symbol === symbol && stock.lastPrice !== null;
    if (page) setText(byId("symbol-hint"), isKnown ? `Last ${grouped(stock.lastPrice)}` : "");
    return undefined;
  }

  async #place() {
    const body = this.order();
    const text = JSON.stringify(body);
    if (this.#isPlacing || !session.mayTrade() || this.#isRepeated(text)) return;
    this.#setPlacing(true);
    const key = this.#unanswered?.text === text ? this.#unanswered.key : crypto.randomUUID();
    this.#unanswered = null;
    this.#say("");
    try {
      const headers = { "Idempotency-Key": key };
      const placement = await send("POST", "/api/trading/orders", { body, headers });
      this.#accepted = { text, at: Date.now() };
      showFieldErrors(this.form, {});
      this.#say(`Accepted: ${describe(placement.order)}.`, "success");
    } catch (error) {
      this.#refused(error, { text, key });
    } finally {
      this.#setPlacing(false);
    }
  }

  #isRepeated(text) {
    const isRepeated = this.#accepted.text === text && Date.now() - this.#accepted.at < SAME_AGAIN_AFTER;
    if (isRepeated) this.#accepted.at = Date.now();
    return isRepeated;
  }

  #refused(error, attempt) {
    const isUnknown = error instanceof Silence || error.status >= 500;
    if (isUnknown) this.#unanswered = attempt;
    if (error instanceof Problem && error.code === "forbidden") return this.#refuseToTrade();
    const errors = error instanceof Problem ? error.errors : {};
    showFieldErrors(this.form, errors);
    const others = Object.entries(errors).filter(([name]) => !FIELDS.includes(name));
    const rest = others.map(([name, messages]) => `${name}: ${messages.join(" ")}`).join(" ");
    const retry = isUnknown ? " Press again to retry: the order cannot be placed twice." : "";
    const isAtField = error.code === "validation_failed" && others.length === 0;
    this.#say(isAtField ? "Not placed: correct the marked fields." : rest || sentenceOf(error) + retry, "problem");
    focusFirstError(this.form);
    return undefined;
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
    byId("ticket-message").textContent = text;
  }

  #shortcut(event) {
    const side = { KeyB: "BUY", KeyS: "SELL" }[event.code];
    if (!side || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || byId("detail").open) return;
    event.preventDefault();
    this.form.side.value = side;
    this.#change("side");
    this.form.symbol.focus();
    this.form.symbol.select();
  }
}

/** Show the messages at their fields, and clear the other fields. */
function showFieldErrors(form, errors) {
  for (const name of FIELDS) {
    const text = (errors[name] ?? []).join(" ");
    const place = byId(`${name}-error`);
    setText(place, text);
    if (["exchange", "side", "orderType", "product"].includes(name)) place.hidden = text === "";
    for (const control of form.querySelectorAll(`[name=${name}]`)) {
      if (text) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
  }
}

function currentErrors() {
  return Object.fromEntries(FIELDS.map((name) => [name, [byId(`${name}-error`).textContent].filter(Boolean)]));
}

function focusFirstError(form) {
  form.querySelector("[aria-invalid=true]:not(:disabled)")?.focus();
}

function describe({ side, quantity, symbol, price }) {
  return `${nameOf(side).toLowerCase()} ${grouped(quantity)} ${symbol} ${price === null ? "at market" : `at ${grouped(price)}`}`;
}

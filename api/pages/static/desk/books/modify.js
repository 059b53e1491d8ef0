/** @file The form that changes an open order in its row: small fields for its quantity and prices, a conflict explained. */

import { make, notify, setText } from "../../common/dom.js";
import { Problem, exchange } from "../../common/http.js";
import { grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { isLive } from "../../common/words.js";
import { inWords } from "./order_words.js";

const FIELDS = { quantity: "Quantity", price: "Limit", triggerPrice: "Trigger" };
const pathOf = (orderId) => `/api/trading/orders/${orderId}`;

/** The form of one order. It is filled with the order as the server has it, whose ETag goes with the change. */
export class Editor {
  #etag = null;
  #terms = {};

  constructor(order, { store, opener, closed }) {
    Object.assign(this, { order, store, opener, closed });
    this.message = make("p", { className: "editor-message", role: "alert" });
    this.inputs = new Map(fieldsOf(order).map((name) => [name, this.#inputFor(name)]));
    const labels = [...this.inputs].map(([name, input]) => make("label", {}, `${FIELDS[name]} `, input));
    this.save = make("button", { type: "submit", className: "quiet", textContent: "Save" });
    const back = make("button", { type: "button", className: "quiet", textContent: "Discard", onclick: closed });
    back.setAttribute("aria-label", `Discard the change of ${order.symbol}`);
    this.save.setAttribute("aria-label", `Save the change of ${order.symbol}`);
    this.form = make("form", { className: "editor-form", noValidate: true }, ...labels, this.save, back, this.message);
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    this.form.onkeydown = (event) => {
      if (event.key === "Escape") closed();
    };
  }

  /** Read the order, fill the fields, and focus the first. */
  async read() {
    if (!(await this.#refresh())) return;
    const first = this.inputs.get("price") ?? this.inputs.get("quantity");
    first.focus();
    first.select();
  }

  #inputFor(name) {
    const { symbol } = this.order;
    const input = make("input", { className: "num", type: "text", inputMode: name === "quantity" ? "numeric" : "decimal" });
    input.name = name;
    input.setAttribute("aria-label", `New ${FIELDS[name].toLowerCase()} of ${symbol}`);
    return input;
  }

  /** Fill the fields with the order as it is now; return true if it can still be changed. */
  async #refresh() {
    try {
      const { document: order, etag } = await exchange("GET", pathOf(this.order.orderId));
      this.#take(order, etag);
      return isLive(order);
    } catch (error) {
      this.#say(sentenceOf(error));
      return false;
    }
  }

  #take(order, etag) {
    this.order = order;
    this.#etag = etag;
    for (const [name, input] of this.inputs) {
      this.#terms[name] = String(order[name]);
      input.value = grouped(order[name]);
      input.removeAttribute("aria-invalid");
    }
    this.store.putOrders([order]);
  }

  /** Return the members that differ from the order, as the API takes them. */
  #changes() {
    const given = [...this.inputs].map(([name, input]) => [name, input.value.replaceAll(",", "").trim()]);
    const changed = given.filter(([name, text]) => text !== this.#terms[name]);
    return Object.fromEntries(changed.map(([name, text]) => [name, name === "quantity" ? wholeOf(text) : text]));
  }

  async #send() {
    const body = this.#changes();
    if (Object.keys(body).length === 0) return this.#say("Nothing has been changed.");
    if (this.save.getAttribute("aria-busy") === "true") return undefined;
    this.save.setAttribute("aria-busy", "true");
    try {
      const headers = { "If-Match": this.#etag ?? "*" };
      const { document: order } = await exchange("PATCH", pathOf(this.order.orderId), { body, headers });
      this.store.putOrders([order]);
      notify(`Changed: ${inWords(order)}.`);
      this.closed();
    } catch (error) {
      await this.#refused(error);
    } finally {
      this.save.setAttribute("aria-busy", "false");
    }
    return undefined;
  }

  /** Explain a refusal; after a conflict show the order as it is now. */
  async #refused(error) {
    const isConflict = error instanceof Problem && [409, 412].includes(error.status);
    if (isConflict && (await this.#refresh())) {
      this.#say(`Not changed. ${sentenceOf(error)} It is now: ${inWords(this.order)}. Look, and change it again.`);
    } else if (isConflict) {
      notify(`${this.order.symbol} was not changed. ${sentenceOf(error)}`, "problem");
      this.closed();
    } else {
      this.#showErrors(error);
    }
  }

  #showErrors(error) {
    const errors = error instanceof Problem ? error.errors : {};
    for (const [name, input] of this.inputs) {
      if (errors[name]) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    const texts = Object.entries(errors).map(([name, messages]) => `${FIELDS[name] ?? name}: ${messages.join(" ")}`);
    this.#say(texts.join(" ") || sentenceOf(error));
  }

  #say(text) {
    setText(this.message, text);
  }
}

/** Return a text as a number; if it is no whole number leave it, so that the API refuses it. */
const wholeOf = (text) => (/^\d{1,9}$/.test(text) ? Number(text) : text);

/** Return the names of the members that may be changed. */
function fieldsOf(order) {
  const names = ["quantity"];
  if (order.price !== null) names.push("price");
  if (order.triggerPrice !== null && order.triggeredAt === null) names.push("triggerPrice");
  return names;
}

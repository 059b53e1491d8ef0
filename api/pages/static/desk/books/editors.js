/** @file The open editors of the table of open orders. */

import { isLive } from "../../common/words.js";

/** The open editors of the table, one for each order at most. */
export class Editors {
  #open = new Map();

  constructor({ store, changed }) {
    Object.assign(this, { store, changed });
  }

  /** Return a text that changes when an order's editor opens or closes. */
  stateOf(order) {
    return this.#open.has(order.orderId) && isLive(order) ? "open" : "";
  }

  /** Fill the cell with the order's editor, or empty it. */
  paint(cell, order) {
    const editor = this.#open.get(order.orderId);
    cell.replaceChildren(...(editor && isLive(order) ? [editor.form] : []));
  }

  /** Open an order's editor, or close it. */
  async toggle(order, opener) {
    const { Editor } = await import("./modify.js");
    if (this.#open.has(order.orderId)) return this.close(order);
    const editor = new Editor(order, { store: this.store, opener, closed: () => this.close(order) });
    this.#open.set(order.orderId, editor);
    opener.setAttribute("aria-expanded", "true");
    this.changed(order);
    return editor.read();
  }

  /** Close an order's editor. */
  close(order) {
    const editor = this.#open.get(order.orderId);
    if (!editor) return;
    this.#open.delete(order.orderId);
    editor.opener.setAttribute("aria-expanded", "false");
    const held = editor.form.contains(document.activeElement);
    this.changed(this.store.orders.get(order.orderId) ?? order);
    if (held) editor.opener.focus({ preventScroll: true });
  }

  /** Forget the editors of orders that are no longer live. */
  keep(orderIds) {
    for (const orderId of this.#open.keys()) if (!orderIds.has(orderId)) this.#open.delete(orderId);
  }
}

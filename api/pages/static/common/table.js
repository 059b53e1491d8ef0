/** @file A table that shows a list, updates only the cells that have changed, and holds still under the pointer. */

import { make, setText } from "./dom.js";
import { Steady } from "./steady.js";

/**
 * A table body with one row for each item of a list.
 *
 * Each column has a `name`, a `label` and `value(item)`. A cell is updated when its value has changed: `paint(cell, item)`
 * fills it, or it shows the value as text if the column has no `paint`. `tone(item)` adds a class to the cell, and
 * `title(item)` is its title. The widest text of a column, its value or `sizeOf(item)`, is published as `--w-<name>` in `ch`,
 * so that the style sheet never cuts a number.
 *
 * `formerly(key)` returns the last state of an item whose row has lost its place in the list while the pointer is over the
 * table, and `pressed(item)` is called when a row is clicked outside its controls.
 */
export class Table {
  #wanted = [];
  #items = new Map();
  #widths = new Map();

  constructor(body, columns, { keyOf, classOf = () => "", formerly = () => undefined, pressed = null }) {
    Object.assign(this, { body, columns, keyOf, classOf, formerly });
    this.rows = new Map();
    this.steady = new Steady(body, () => this.show(this.#wanted));
    const root = body.closest(".scroller");
    this.sight = new IntersectionObserver((entries) => this.#see(entries), { root, rootMargin: "100px" });
    if (pressed) body.addEventListener("click", (event) => this.#press(event, pressed));
  }

  /**
   * Show these items in this order. While the pointer is over the table rows keep their places instead, unless the person
   * has asked for the new order.
   */
  show(items, { isAsked = false } = {}) {
    this.#wanted = items;
    this.#items = new Map(items.map((item) => [this.keyOf(item), item]));
    const before = [...this.body.children];
    const held = this.steady.isHeld && !isAsked ? before : [];
    for (const [key, row] of this.rows) this.#items.has(key) || this.#drop(key, row, held.length > 0);
    const elements = items.map((item) => this.#rowOf(item).element);
    const isHeld = new Set(held);
    this.#place([...held, ...elements.filter((element) => !isHeld.has(element))], before);
    for (const item of items) this.#paint(this.rows.get(this.keyOf(item)), item);
  }

  /** Update the rows of these items, now if they are in sight, else when they come into sight. */
  update(items) {
    for (const item of items) {
      const row = this.rows.get(this.keyOf(item));
      if (!row) continue;
      if (row.isInSight) this.#paint(row, item, true);
      else row.late = item;
    }
  }

  /** Return the element of an item's row, if it is shown. */
  elementOf(key) {
    return this.rows.get(key)?.element;
  }

  /** Return the number of rows, those included that only keep their place. */
  get size() {
    return this.rows.size;
  }

  #rowOf(item) {
    const key = this.keyOf(item);
    let row = this.rows.get(key);
    if (!row) {
      const cells = this.columns.map((column) => makeCell(column));
      row = { element: make("tr", { role: "row" }, ...cells), cells, values: [], tones: [], titles: [], isInSight: true };
      row.element.dataset.key = key;
      this.rows.set(key, row);
      this.sight.observe(row.element);
    }
    row.isGone = row.element.inert = false;
    return row;
  }

  #drop(key, row, keepsPlace) {
    if (keepsPlace) {
      row.isGone = row.element.inert = true;
      row.element.classList.add("is-gone");
      const last = this.formerly(key);
      if (last) this.#paint(row, last, true);
      row.item = null;
      return;
    }
    if (row.element.contains(document.activeElement)) this.#focusTable();
    this.sight.unobserve(row.element);
    row.element.remove();
    this.rows.delete(key);
  }

  #place(elements, before) {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    elements.forEach((element, index) => {
      if (this.body.children[index] !== element) this.body.insertBefore(element, this.body.children[index] ?? null);
    });
    // An element that is moved within the document loses the focus.
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
    const places = new Map(elements.map((element, index) => [element, index]));
    if (before.some((element, index) => places.has(element) && places.get(element) !== index)) this.steady.moved();
  }

  #paint(row, item, isForced = false) {
    if (row.item === item && !isForced && !row.late) return;
    row.item = item;
    row.late = null;
    const className = [this.classOf(item), row.isGone ? "is-gone" : ""].filter(Boolean).join(" ");
    if (row.element.className !== className) row.element.className = className;
    this.columns.forEach((column, index) => this.#paintCell(column, row, index, item));
  }

  #paintCell(column, row, index, item) {
    const value = column.value(item);
    const cell = row.cells[index];
    if (column.tone) paintTone(row, index, column.name, column.tone(item));
    if (column.title) paintTitle(row, index, column.title(item));
    if (row.values[index] === value) return;
    const isFirst = row.values[index] === undefined;
    row.values[index] = value;
    const held = cell.contains(document.activeElement);
    if (column.paint) column.paint(cell, item);
    else setText(cell, value);
    if (column.isSized !== false) this.#widen(column.name, column.sizeOf?.(item) ?? value);
    if (held && !cell.contains(document.activeElement)) this.#focusTable();
    if (column.flash && !isFirst) flash(cell);
  }

  /** Make room for a text that is wider than all before it. */
  #widen(name, text) {
    const width = String(text).length;
    if (width <= (this.#widths.get(name) ?? 0)) return;
    this.#widths.set(name, width);
    this.body.closest("table").style.setProperty(`--w-${name}`, `${width}ch`);
  }

  #see(entries) {
    for (const { target, isIntersecting } of entries) {
      const row = this.rows.get(target.dataset.key);
      if (!row) continue;
      row.isInSight = isIntersecting;
      if (isIntersecting && row.late) this.#paint(row, row.late, true);
    }
  }

  #press(event, pressed) {
    if (event.target.closest("button, input, select, a, label, form")) return;
    const item = this.rows.get(event.target.closest("tr")?.dataset.key)?.item;
    if (item && !String(getSelection())) pressed(item);
  }

  /** Focus the table, so that the next Tab does not start at the top of the page: the focused element is gone. */
  #focusTable() {
    this.body.closest("[tabindex]")?.focus({ preventScroll: true });
  }
}

function paintTone(row, index, name, tone) {
  if (row.tones[index] === tone) return;
  row.tones[index] = tone;
  row.cells[index].className = tone ? `${name} ${tone}` : name;
}

function paintTitle(row, index, title) {
  if ((row.titles[index] ?? "") === title) return;
  row.titles[index] = row.cells[index].title = title;
}

/** Highlight a cell that has just changed, unless the person prefers reduced motion. */
function flash(element) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  element.animate({ backgroundColor: ["var(--fresh)", "transparent"] }, { duration: 900, easing: "ease-out" });
}

function makeCell(column) {
  const cell = make("td", { role: "cell", className: column.name });
  if (column.label) cell.dataset.label = column.label;
  return cell;
}

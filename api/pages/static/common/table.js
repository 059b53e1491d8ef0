/** @file A table that shows a list and updates only the cells that have changed. */

import { make, setText } from "./dom.js";

/**
 * A table body with one row for each item of a list.
 *
 * Each column has a `name`, a `label` and `value(item)`. A cell is updated when its value has changed: `paint(cell, item)`
 * fills it, or it shows the value as text if the column has no `paint`.
 */
export class Table {
  constructor(body, columns, { keyOf, classOf = () => "" }) {
    Object.assign(this, { body, columns, keyOf, classOf });
    this.rows = new Map();
  }

  /** Show these items in this order. */
  show(items) {
    const kept = new Set(items.map(this.keyOf));
    for (const [key, row] of this.rows) {
      if (!kept.has(key)) {
        row.element.remove();
        this.rows.delete(key);
      }
    }
    items.forEach((item, index) => {
      const row = this.rowOf(item);
      if (this.body.children[index] !== row.element) this.body.insertBefore(row.element, this.body.children[index]);
      this.paint(row, item);
    });
  }

  /** Return the element of an item's row, if it is shown. */
  elementOf(key) {
    return this.rows.get(key)?.element;
  }

  rowOf(item) {
    const key = this.keyOf(item);
    let row = this.rows.get(key);
    if (!row) {
      const cells = this.columns.map((column) => makeCell(column));
      row = { element: make("tr", { role: "row" }, ...cells), cells, values: [] };
      this.rows.set(key, row);
    }
    return row;
  }

  paint(row, item) {
    const className = this.classOf(item);
    if (row.element.className !== className) row.element.className = className;
    this.columns.forEach((column, index) => {
      const value = column.value(item);
      if (row.values[index] === value) return;
      const isFirst = row.values[index] === undefined;
      row.values[index] = value;
      this.paintCell(column, row.cells[index], item, value);
      if (column.flash && !isFirst) flash(row.cells[index]);
    });
  }

  paintCell(column, cell, item, value) {
    const held = cell.contains(document.activeElement);
    if (column.paint) column.paint(cell, item);
    else setText(cell, value);
    // The focused element may be gone: focus the table, so that the next Tab does not start at the top of the page.
    if (held && !cell.contains(document.activeElement)) this.body.closest("[tabindex]")?.focus({ preventScroll: true });
  }
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

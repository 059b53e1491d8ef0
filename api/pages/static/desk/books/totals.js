/** @file The row of totals at the foot of a table. */

import { setText } from "../../common/dom.js";
import { grouped, signed } from "../../common/money.js";

/**
 * Return a function that updates the cells of a row of totals.
 *
 * `totalsOf(...)` returns `{ name: [amount, tone?, title?] }`; an amount with a tone is shown with its sign. Each cell has its name
 * in `data-total`.
 */
export function showTotals(row, totalsOf) {
  const cells = [...row.querySelectorAll("[data-total]")];
  const table = row.closest("table");
  const widths = new Map();
  return (...given) => {
    const totals = totalsOf(...given);
    for (const cell of cells) {
      const name = cell.dataset.total;
      const [amount, tone, title = ""] = totals[name];
      const text = tone === undefined ? grouped(amount) : signed(amount);
      setText(cell, text);
      const className = tone ? `${name} ${tone}` : name;
      if (cell.className !== className) cell.className = className;
      if (cell.title !== title) cell.title = title;
      if (text.length <= (widths.get(name) ?? 0)) continue;
      widths.set(name, text.length);
      table.style.setProperty(`--t-${name}`, `${text.length}ch`);
    }
  };
}

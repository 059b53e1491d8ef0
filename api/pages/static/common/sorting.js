/** @file Sort a table by its columns: buttons in its head, and a list for the cards of a narrow window. */

import { make } from "./dom.js";

/**
 * Sorting of a table by the columns that have `sortBy(item)`, a number or a text.
 *
 * `changed()` is called when the person has chosen another order. The first press of a column sorts upwards, the second
 * downwards, the third restores the order of the list.
 */
export class Sorting {
  #column = null;
  #isDown = false;
  #heads = new Map();

  constructor({ head, list, columns, changed }) {
    Object.assign(this, { list, changed });
    for (const column of columns.filter(({ sortBy }) => sortBy)) this.#addColumn(head, column);
    list.addEventListener("change", () => this.#chooseFromList());
  }

  /** Return the items in the chosen order; items that are equal keep theirs. */
  sorted(items) {
    if (!this.#column) return items;
    const { sortBy } = this.#column;
    const turn = this.#isDown ? -1 : 1;
    return [...items].sort((left, right) => turn * compare(sortBy(left), sortBy(right)));
  }

  #addColumn(head, column) {
    const cell = head.querySelector(`th.${column.name}`);
    const name = cell.textContent;
    const hint = make("span", { className: "hidden", textContent: `: sort ${nounOf(head)}` });
    const button = make("button", { type: "button", className: "sort" }, name, hint);
    button.onclick = () => this.#press(column);
    cell.replaceChildren(button);
    cell.setAttribute("aria-sort", "none");
    this.#heads.set(column, cell);
    for (const [way, word] of [["up", "upwards"], ["down", "downwards"]]) {
      this.list.append(make("option", { value: `${column.name} ${way}`, textContent: `By ${name.toLowerCase()}, ${word}` }));
    }
  }

  #press(column) {
    if (this.#column !== column) this.#choose(column, false);
    else if (!this.#isDown) this.#choose(column, true);
    else this.#choose(null, false);
  }

  #chooseFromList() {
    const [name, way] = this.list.value.split(" ");
    const column = [...this.#heads.keys()].find((each) => each.name === name);
    this.#choose(column ?? null, way === "down");
  }

  #choose(column, isDown) {
    this.#column = column;
    this.#isDown = isDown;
    for (const [each, cell] of this.#heads) {
      cell.setAttribute("aria-sort", each !== column ? "none" : isDown ? "descending" : "ascending");
    }
    this.list.value = column ? `${column.name} ${isDown ? "down" : "up"}` : "";
    this.changed();
  }
}

/** Compare two numbers or texts; null comes last upwards. */
function compare(left, right) {
  if (left === right) return 0;
  if (left === null || right === null) return left === null ? 1 : -1;
  return left < right ? -1 : 1;
}

/** Return the name of a table by the id of its title, `open-orders-title`: a page has several columns of one name. */
function nounOf(head) {
  return head.closest("table").getAttribute("aria-labelledby").replace(/-title$/, "").replace("-", " ");
}

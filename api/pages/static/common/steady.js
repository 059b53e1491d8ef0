/** @file Rows that hold still under a pointer that is about to press. */

import { notify } from "./dom.js";

// A person needs about a quarter of a second to see that rows have moved, and as long again to stop a hand.
const GUARD = 600;
// A pointer that lies still is not about to press.
const IDLE = 10_000;

/**
 * Watches the pointer over the scrolling area of a table.
 *
 * While `isHeld`, rows should neither move nor vanish; `settle` is called when they may again. After `moved()` the presses
 * of a pointer within the table's body are ignored for 600 ms; those of the keyboard are not, since the focus moves along.
 */
export class Steady {
  #until = 0;
  #guard = 0;
  #idle = 0;
  isHeld = false;

  constructor(body, settle) {
    this.body = body;
    this.settle = settle;
    const area = body.closest(".scroller") ?? body;
    area.addEventListener("pointermove", (event) => event.pointerType !== "touch" && this.#hold());
    area.addEventListener("pointerleave", () => this.#letGo());
    for (const name of ["click", "pointerdown"]) area.addEventListener(name, (event) => this.#judge(event), true);
  }

  /** Ignore presses from now on: rows have moved. */
  moved() {
    this.#until = performance.now() + GUARD;
    this.body.dataset.moved = "";
    clearTimeout(this.#guard);
    this.#guard = setTimeout(() => delete this.body.dataset.moved, GUARD);
  }

  #judge(event) {
    const isPointer = event.type === "pointerdown" || event.detail > 0;
    if (!isPointer || performance.now() >= this.#until || event.target.closest?.("thead, .older")) return;
    event.stopPropagation();
    event.preventDefault();
    if (event.type === "click") notify("The rows have just moved: look, and press again.");
  }

  #hold() {
    this.isHeld = true;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#letGo(), IDLE);
  }

  #letGo() {
    clearTimeout(this.#idle);
    if (!this.isHeld) return;
    this.isHeld = false;
    this.settle();
  }
}

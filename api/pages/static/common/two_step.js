/** @file A button whose first press arms it for 4 seconds and whose second press acts. */

import { notify, setText } from "./dom.js";

const ARMED_FOR = 4000;
// A double click is one press: its second click comes sooner than a decision.
const TOO_SOON = 400;

/**
 * Make a button ask before it acts. It keeps its size and its place.
 *
 * `words()` returns `{ calm, armed, question, label }` at each press: the texts of the button, the sentence that says the
 * effect of a second press, and the button's name. `act()` is called by the second press.
 */
export function askTwice(button, { words, act }) {
  let timer = 0;
  let armedAt = null;
  const calm = () => {
    clearTimeout(timer);
    armedAt = null;
    button.classList.remove("is-armed");
    setText(button, words().calm);
    button.setAttribute("aria-label", words().label);
  };
  const arm = () => {
    armedAt = performance.now();
    timer = setTimeout(calm, ARMED_FOR);
    button.classList.add("is-armed");
    setText(button, words().armed);
    button.setAttribute("aria-label", words().question);
    notify(words().question);
  };
  button.onkeydown = (event) => {
    if (event.repeat && (event.key === "Enter" || event.key === " ")) event.preventDefault();
    if (event.key === "Escape" && armedAt !== null) calm();
  };
  button.onclick = () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    if (armedAt === null) return void arm();
    if (performance.now() - armedAt < TOO_SOON) return;
    calm();
    act();
  };
  /** Show the present words, and forget a first press. */
  button.refresh = calm;
  button.onblur = () => armedAt !== null && performance.now() - armedAt > TOO_SOON && calm();
  calm();
  return button;
}

/** @file A button beside each example that copies it. */

import { make } from "../common/dom.js";
import { shownText } from "./languages.js";

const SHOWN_MS = 2000;

/** Put a button into each figure. */
export function addCopyButtons() {
  for (const figure of document.querySelectorAll("figure")) {
    const title = figure.querySelector("figcaption").firstChild.textContent.trim();
    const button = make("button", { type: "button", className: "quiet copy", "aria-label": `Copy: ${title}` }, "Copy");
    button.onclick = () => copy(figure, button);
    figure.querySelector("figcaption").append(button);
  }
}

async function copy(figure, button) {
  const text = shownText(figure);
  try {
    await navigator.clipboard.writeText(text);
    say(button, "Copied");
  } catch {
    // Without https a browser keeps the clipboard from a page.
    select(figure);
    say(button, "Selected: press Ctrl+C");
  }
}

function say(button, text) {
  button.textContent = text;
  button.setAttribute("aria-live", "polite");
  clearTimeout(button.timer);
  button.timer = setTimeout(() => (button.textContent = "Copy"), SHOWN_MS);
}

function select(figure) {
  const shown = [...figure.querySelectorAll("pre")].find((text) => text.checkVisibility());
  getSelection().selectAllChildren(shown);
}

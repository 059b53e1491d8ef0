/** @file The tabs above the calls: all of them show the language that was chosen last. */

import { make } from "../common/dom.js";

const KEY = "tradepost.language";

/** Put tabs above each call, and show the stored language. */
export function addTabs() {
  const figures = [...document.querySelectorAll("figure.request")];
  for (const figure of figures) figure.querySelector("figcaption").append(tabsOf(figure));
  const stored = localStorage.getItem(KEY);
  choose(figures[0]?.querySelector(`[data-language="${CSS.escape(stored ?? "curl")}"]`) ? stored ?? "curl" : "curl");
}

/** Return the text of a figure that is shown. */
export function shownText(figure) {
  return [...figure.querySelectorAll("pre")].find((text) => text.checkVisibility())?.textContent ?? "";
}

function tabsOf(figure) {
  const tabs = [...figure.querySelectorAll("pre")].map(({ dataset }) =>
    make("button", {
      type: "button",
      className: "tab",
      textContent: dataset.name,
      "data-choice": dataset.language,
      onclick: ({ currentTarget }) => keepInPlace(currentTarget, () => choose(dataset.language)),
    }),
  );
  return make("span", { className: "tabs", role: "group", "aria-label": "Language" }, ...tabs);
}

function choose(language) {
  document.body.dataset.language = language;
  for (const tab of document.querySelectorAll(".tab")) {
    tab.setAttribute("aria-pressed", String(tab.dataset.choice === language));
  }
  localStorage.setItem(KEY, language);
}

/** Do an action that changes heights further up, and scroll so that the element stays where it is on the screen. */
function keepInPlace(element, action) {
  const before = element.getBoundingClientRect().top;
  action();
  window.scrollBy(0, element.getBoundingClientRect().top - before);
}

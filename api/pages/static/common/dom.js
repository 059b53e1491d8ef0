/** @file Small helpers for the document, without any knowledge of trading. */

/** Return the element with an id; throw if it is missing, which is a mistake in the page. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`there is no #${id}`);
  return found;
}

/** Make an element: make("td", { className: "num", textContent: "1" }, child, "text"). */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Set an element's text; return true if the text has changed. */
export function setText(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}

/** Return a function that runs `action` once, `delay` milliseconds after its last call. */
export function debounce(action, delay) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), delay);
  };
}

/** Show a message at the foot of the page, and announce it to screen readers. */
export function notify(text, kind = "information") {
  const notice = byId("notice");
  notice.dataset.kind = kind;
  notice.textContent = text;
  notice.classList.add("is-shown");
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => notice.classList.remove("is-shown"), 6000);
}

/** @file The search: each word must occur in a part of the page; parts that have it in their title come first. */

import { byId, debounce, make } from "../common/dom.js";

const NAMED = "main article[id], main h2[id], main tr [id]";
const MOST = 30;
const TYPING_MS = 80;

/** Show the field, and search while the reader types. */
export function addSearch() {
  byId("search").hidden = false;
  const query = byId("query");
  const parts = [...document.querySelectorAll(NAMED)].map(partOf).filter(({ title }) => title);
  query.addEventListener("input", debounce(() => show(query.value, parts), TYPING_MS));
  query.addEventListener("keydown", (event) => onKey(event, query, parts));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select")) return;
    event.preventDefault();
    query.focus();
    query.select();
  });
}

/** Return the title, the note and the text of an element that an address can name. */
function partOf(element) {
  const heading = element.matches("article") ? element.querySelector("h3") : element;
  const text = (element.matches("article, tr") ? element : (element.closest("tr") ?? element.closest("section")))?.textContent;
  const note = element.matches("article") ? (element.querySelector("header > p")?.textContent ?? "") : "";
  return { id: element.id, title: tidy(heading?.textContent ?? ""), note: tidy(note), text: tidy(text ?? "").toLowerCase() };
}

function tidy(text) {
  return text.replace(/\s+/g, " ").trim();
}

function onKey(event, query, parts) {
  if (event.key === "Escape") {
    query.value = "";
    show("", parts);
  }
  if (event.key === "Enter") {
    show(query.value, parts); // at once, though the reader types fast
    byId("results").querySelector("a")?.click();
  }
}

function show(typed, parts) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length ? ranked(words, parts) : [];
  byId("search").classList.toggle("is-searching", words.length > 0);
  byId("results").replaceChildren(...found.slice(0, MOST).map(linkOf));
  byId("found").textContent = words.length ? countOf(found.length) : "";
}

function countOf(number) {
  if (number === 0) return "Nothing found.";
  return number > MOST ? `${number} found; the first ${MOST}:` : `${number} found`;
}

function ranked(words, parts) {
  const rank = ({ title, note }) => words.filter((word) => !`${title} ${note}`.toLowerCase().includes(word)).length;
  return parts
    .filter(({ title, text }) => words.every((word) => text.includes(word) || title.toLowerCase().includes(word)))
    .map((part) => ({ ...part, rank: rank(part) }))
    .sort((one, other) => one.rank - other.rank);
}

function linkOf({ id, title, note }) {
  return make("li", {}, make("a", { href: `#${id}` }, title, make("small", { className: "muted" }, note)));
}

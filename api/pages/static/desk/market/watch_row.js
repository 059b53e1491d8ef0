/** @file One stock of the watch list: its figures, and its buttons while it is the chosen one. */

import { make, setText } from "../../common/dom.js";
import { NOTHING, grouped, toneOf } from "../../common/money.js";
import { changeOf, changeText, placeInRange } from "./figures.js";
import { stockOf } from "./keys.js";

const TOOLS = [
  ["buy", "Buy", (symbol) => `Buy ${symbol} by the ticket`],
  ["sell", "Sell", (symbol) => `Sell ${symbol} by the ticket`],
  ["up", "↑", (symbol) => `Move ${symbol} up`],
  ["down", "↓", (symbol) => `Move ${symbol} down`],
  ["remove", "Remove", (symbol) => `Remove ${symbol} from the watch list`],
];

// So many characters of bid, ask and change stand beside their words in the second line.
const ROOM = 30;

/** A row; `act(tool, key)` is called when one of its buttons is pressed, with "choose" for the row itself. */
export class WatchRow {
  constructor(key, act) {
    const { symbol, exchange } = stockOf(key);
    this.key = key;
    this.parts = {};
    for (const name of ["last", "name", "change", "age", "bid", "ask", "range"]) {
      this.parts[name] = make("span", { className: `watch-${name}` });
    }
    this.mark = make("i");
    this.parts.range.append(this.mark);
    this.button = make("button", { type: "button", className: "watch-row", tabIndex: -1 }, ...this.#lines(symbol, exchange));
    this.button.onclick = () => act("choose", key);
    this.facts = make("p", { className: "watch-facts num" });
    this.tools = make("div", { className: "watch-tools", hidden: true }, this.facts, ...TOOLS.map(makeTool));
    this.element = make("li", { className: "watch-item" }, this.button, this.tools);
    this.element.dataset.key = key;

    function makeTool([tool, text, nameOf]) {
      const button = make("button", { type: "button", className: `quiet ${tool}`, textContent: text });
      button.setAttribute("aria-label", `${nameOf(symbol)} (${exchange})`);
      button.dataset.tool = tool;
      button.onclick = () => act(tool, key);
      return button;
    }
  }

  #lines(symbol, exchange) {
    const title = make("span", { className: "watch-symbol" }, make("b", { textContent: symbol }));
    title.append(make("small", { className: "exchange", textContent: ` ${exchange}` }));
    const labelled = (text, part) => make("span", {}, make("small", { textContent: text }), part);
    const book = make("span", { className: "watch-book" }, labelled("Bid ", this.parts.bid), labelled("Ask ", this.parts.ask));
    return [title, this.parts.last, this.parts.name, this.parts.change, book, this.parts.range, this.parts.age];
  }

  /** Show a stock's quote; only what has changed is written. */
  show(stock, store) {
    const { last, name, change, bid, ask } = this.parts;
    setText(last, grouped(stock?.lastPrice));
    if (setText(name, stock?.name ?? "")) this.button.title = name.textContent;
    if (setText(change, stock ? changeText(stock) : NOTHING)) change.className = `watch-change ${toneOf(stock && changeOf(stock))}`;
    setText(bid, grouped(stock?.bidPrice));
    setText(ask, grouped(stock?.askPrice));
    this.element.classList.toggle("is-long", [bid, ask, change].reduce((sum, part) => sum + part.textContent.length, 0) > ROOM);
    this.#showRange(stock);
    if (!this.tools.hidden) setText(this.facts, factsOf(stock));
    this.#showAge(store.ageOf(this.key));
  }

  /** Show the age of a quote that is old, and grey it. */
  #showAge(age) {
    if (setText(this.parts.age, age && `${age} old`)) this.element.classList.toggle("is-old", age !== "");
  }

  /** Show if the row is the chosen one; only this has buttons. */
  choose(isChosen, stock) {
    if (this.tools.hidden !== isChosen) return;
    this.tools.hidden = !isChosen;
    this.element.classList.toggle("is-chosen", isChosen);
    if (isChosen) this.button.setAttribute("aria-current", "true");
    else this.button.removeAttribute("aria-current");
    if (isChosen) setText(this.facts, factsOf(stock));
  }

  #showRange(stock) {
    const place = stock ? placeInRange(stock) : null;
    const text = place === null ? "" : `${Math.round(place * 100)}%`;
    if (this.place === text) return;
    this.place = text;
    this.parts.range.classList.toggle("is-known", text !== "");
    this.mark.style.left = text;
  }
}

function factsOf(stock) {
  const facts = [["Low", stock?.low], ["High", stock?.high], ["Open", stock?.open], ["Prev. close", stock?.previousClose]];
  const known = facts.filter(([, price]) => price != null).map(([name, price]) => `${name} ${grouped(price)}`);
  if (stock?.volume != null) known.push(`Volume ${grouped(stock.volume)}`);
  if (stock?.halted) known.unshift("Halted");
  return known.join(" · ");
}

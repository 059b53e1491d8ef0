/** @file The connection light: the state of the stream as a colour and as text. */

import { byId, setText } from "./dom.js";
import { shortClock } from "./time.js";

const CAUGHT_UP_SHOWN = 12_000;

let timer = 0;

/** Show the state of the stream. */
export function showLight(state) {
  clearTimeout(timer);
  byId("light").dataset.state = byId("desk").dataset.state = state.name;
  setText(byId("light-text"), textOf(state));
  if (state.name === "live" && typeof state.replayed === "number") {
    timer = setTimeout(() => setText(byId("light-text"), "Live"), CAUGHT_UP_SHOWN);
  }
}

function textOf(state) {
  if (state.name === "live") return state.replayed === null ? "Live" : `Live · ${events(state.replayed)} replayed`;
  const since = shortClock(new Date(state.lostAt).toISOString());
  return state.name === "stale" ? `Stale since ${since} IST · reconnecting` : "Reconnecting…";
}

function events(number) {
  return number === 1 ? "1 event" : `${number} events`;
}

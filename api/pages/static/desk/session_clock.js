/** @file The state of the market's session, with a countdown to its close and to the square-off. */

import { byId, setText } from "../common/dom.js";
import { Problem, Silence, get } from "../common/http.js";
import { bothClocks, countdown, nowInBothZones } from "../common/time.js";
import { keyOf } from "./store.js";

const MINUTE = 60_000;
// After a change the server's answer is surely a new one.
const AFTER_CHANGE = 300;

/** Read the market's clock each minute and at its next change, and show the time and the session each second. */
export function showSession(store) {
  keepClock(store);
  const show = () => !document.hidden && showNow(store);
  store.on(["clock", "selected"], show);
  setInterval(show, 1000);
  document.addEventListener("visibilitychange", show);
  show();
}

async function keepClock(store) {
  try {
    if (!document.hidden) await readClock(store);
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Silence)) throw error;
  }
  setTimeout(() => keepClock(store), Math.min(MINUTE, untilChange(store)));
}

async function readClock(store) {
  const asked = Date.now();
  const clock = await get("/api/market/clock");
  store.putClock(clock, Date.parse(clock.at) - (asked + Date.now()) / 2);
}

/** Return the milliseconds until a session opens, closes or is squared off. */
function untilChange({ clock, clockOffset }) {
  const moments = (clock?.sessions ?? []).flatMap((each) => [each.opensAt, each.closesAt, each.squareOffAt, each.nextOpensAt]);
  const left = moments.map((moment) => Date.parse(moment ?? "") - Date.now() - clockOffset).filter((each) => each > 0);
  return Math.min(...left, MINUTE) + AFTER_CHANGE;
}

function showNow(store) {
  const now = Date.now() + store.clockOffset;
  setText(byId("time"), nowInBothZones(now));
  const session = sessionOf(store);
  byId("session").hidden = !session;
  if (!session) return;
  const state = stateOf(session, now);
  byId("session").dataset.state = state.name;
  setText(byId("session-state"), `${store.clock.calendar ?? "Market"} ${state.name}`);
  setText(byId("session-countdown"), state.text);
  byId("session").title = timesOf(session);
}

/** Return the session of the chosen stock's class, else that of the class NORMAL. */
function sessionOf({ clock, selected, quotes }) {
  const wanted = (selected && quotes.get(keyOf(selected))?.sessionClass) ?? "NORMAL";
  const of = (name) => clock?.sessions.find((session) => session.sessionClass === name);
  return of(wanted) ?? of("NORMAL") ?? null;
}

/** Return the state by the present time, which may be past a change that the clock's answer did not know. */
function stateOf({ open, opensAt, closesAt, squareOffAt, nextOpensAt }, now) {
  const until = (moment) => (moment && Date.parse(moment) > now ? countdown(Date.parse(moment) - now) : null);
  const isOpen = open ? !closesAt || Date.parse(closesAt) > now : Boolean(opensAt && !until(opensAt) && until(closesAt));
  if (!isOpen) {
    const next = until(opensAt) ? opensAt : nextOpensAt;
    return { name: "closed", text: until(next) ? `opens in ${until(next)}` : "" };
  }
  const parts = [until(squareOffAt) && `square-off in ${until(squareOffAt)}`, until(closesAt) && `closes in ${until(closesAt)}`];
  return { name: "open", text: parts.filter(Boolean).join(" · ") };
}

function timesOf({ opensAt, closesAt, squareOffAt, nextOpensAt }) {
  const facts = { Opens: opensAt, "Square-off": squareOffAt, Closes: closesAt, "Opens next": nextOpensAt };
  const known = Object.entries(facts).filter(([, moment]) => moment);
  return known.map(([name, moment]) => `${name} ${bothClocks(moment)}`).join("\n");
}

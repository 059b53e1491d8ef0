/** @file The state of the market's session, with a countdown to its close and to the square-off. */

import { byId, setText } from "../common/dom.js";
import { bothClocks, countdown, nowInBothZones } from "../common/time.js";
import { keyOf } from "./store.js";

/** Show the time and the session, and update them each second while the tab is shown. */
export function showSession(store) {
  const show = () => !document.hidden && showNow(store);
  store.on(["clock", "selected"], show);
  setInterval(show, 1000);
  document.addEventListener("visibilitychange", show);
  show();
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

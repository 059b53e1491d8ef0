/** @file The operator's page: ask for a token, then read the operations every 2 seconds. */

import { byId, notify, setText } from "../common/dom.js";
import { Problem, Silence, get, send } from "../common/http.js";
import { grouped } from "../common/money.js";
import { showBroker } from "./broker.js";
import { ThroughputPlot } from "./plot.js";
import { sentenceOf } from "../common/problems.js";
import { dayAndClock, duration, shortClock } from "../common/time.js";

// Another key than the desk's, because a trading token cannot read the operations.
const TOKEN = "tradepost.operator";
const PATH = "/api/admin/operations";
const PERIOD = 2000;
const MAX_PENDING = 10_000;
// An order older than two sweeps is late; 30 s is far too long.
const LATE = 2000;
const VERY_LATE = 30_000;
const REASONS = {
  unauthenticated: "This token is unknown, expired or revoked.",
  forbidden: "This token lacks the scope admin.",
};

let timer = 0;
let plot = null;

/** Show the form, and test a token before it is stored. */
function askForToken() {
  byId("login").hidden = false;
  byId("token").focus();
  byId("login-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = byId("token").value.trim();
    if (!/^[\x21-\x7e]{1,256}$/.test(token)) return refuseToken("Paste a token: one word without spaces.");
    try {
      const operations = await get(PATH, {}, { token });
      sessionStorage.setItem(TOKEN, token);
      byId("login-form").reset();
      open(operations);
      byId("operations").focus();
    } catch (error) {
      refuseToken(REASONS[error.code] ?? sentenceOf(error));
    }
  });
}

function refuseToken(reason) {
  setText(byId("token-error"), reason);
  byId("token").setAttribute("aria-invalid", String(reason !== ""));
  if (reason) byId("token").select();
}

/** Show the page, and update it regularly. */
function open(operations = null) {
  byId("login").hidden = true;
  byId("desk").hidden = false;
  plot = new ThroughputPlot(byId("throughput"));
  byId("sign-out").addEventListener("click", leave);
  document.addEventListener("visibilitychange", () => !document.hidden && refresh());
  if (operations) show(operations);
  refresh();
}

/** Read the operations now and every 2 seconds; a hidden page does not read. */
async function refresh() {
  clearTimeout(timer);
  if (!document.hidden) {
    try {
      show(await get(PATH, {}, { token: sessionStorage.getItem(TOKEN) }));
    } catch (error) {
      if (error instanceof Problem && REASONS[error.code]) return tokenEnded();
      if (!(error instanceof Problem || error instanceof Silence)) throw error;
      showLight("stale", sentenceOf(error));
    }
  }
  timer = setTimeout(refresh, PERIOD);
}

function leave() {
  sessionStorage.removeItem(TOKEN);
  location.reload();
}

function tokenEnded() {
  notify("The token has expired or was revoked.", "problem");
  setTimeout(leave, 1500);
}

function showLight(state, text) {
  byId("light").dataset.state = byId("desk").dataset.state = state;
  setText(byId("light-text"), text);
}

function show(operations) {
  showLight("live", `Live · ${shortClock(operations.at)}`);
  showFigures(operations);
  plot.show(operations.throughput.seconds);
  const check = operations.ledgerCheck;
  setText(byId("ledger-check"), check ? `${dayAndClock(check.at)} · ${violations(check.violations)}` : "not yet");
  byId("ledger-check").className = check?.violations ? "loss" : "";
  showResting(operations.resting);
  setText(byId("sample"), `${grouped(operations.latency.orders)} orders, at most 5 minutes old`);
  showBroker(operations.broker, requeue);
}

function showFigures({ pending, throughput, latency }) {
  const milliseconds = (value) => (value === null ? "–" : duration(value));
  figure("pending", grouped(pending.count) + (pending.count >= MAX_PENDING ? " or more" : ""));
  figure("oldest", milliseconds(pending.oldestAgeMs), toneOf(pending.oldestAgeMs ?? 0));
  figure("placed", throughput.placedPerSecond.toFixed(1));
  figure("executed", throughput.executedPerSecond.toFixed(1));
  for (const name of ["p50", "p95", "p99"]) figure(name, milliseconds(latency[`${name}Ms`]));
}

/** Show the orders that wait for the market; a late match is a fault, and so is an order that outlives its end. */
function showResting({ forPrice, forTrigger, expiryBehindMs, lateMatches }) {
  const count = (number) => grouped(number) + (number >= MAX_PENDING ? " or more" : "");
  const behind = expiryBehindMs > VERY_LATE ? ` · expiry is ${duration(expiryBehindMs)} behind` : "";
  setText(byId("resting"), `${count(forPrice)} for a price, ${count(forTrigger)} for a trigger${behind}`);
  byId("resting").className = behind ? "loss" : "";
  setText(byId("late-matches"), lateMatches ? grouped(lateMatches) : "none");
  byId("late-matches").className = lateMatches ? "loss" : "";
}

function figure(name, text, tone = "") {
  const element = document.querySelector(`[data-figure="${name}"]`);
  setText(element, text);
  element.dataset.tone = tone;
}

function toneOf(age) {
  if (age > VERY_LATE) return "loss";
  return age > LATE ? "wait" : "";
}

function violations(number) {
  if (number === 0) return "the books are right";
  return number === 1 ? "1 violation" : `${number} violations`;
}

/** Send a dead letter again; its row disappears with the next reading. */
async function requeue(letter) {
  try {
    const path = `/api/admin/dead-letters/${letter.messageId}/requeue`;
    await send("POST", path, { token: sessionStorage.getItem(TOKEN) });
    notify("The message is in its queue again.");
  } catch (error) {
    notify(error.code === "not_found" ? "This message was already sent again." : sentenceOf(error), "problem");
  }
  await refresh();
}

if (sessionStorage.getItem(TOKEN)) open();
else askForToken();

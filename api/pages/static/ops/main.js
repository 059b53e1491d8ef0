/** @file The operator's page: ask for a token, then read the operations every 2 seconds. */

import { byId, setText } from "../common/dom.js";
import { Problem, Silence, get } from "../common/http.js";
import { signIn } from "../common/login.js";
import { grouped } from "../common/money.js";
import { sentenceOf } from "../common/problems.js";
import { duration, ownTime, shortClock } from "../common/time.js";
import { Tokens } from "../common/tokens.js";
import { connect, requeue, showCheck } from "./actions.js";
import { showBroker } from "./broker.js";
import { makePlots, showMinutes, showSeconds } from "./plots.js";
import * as record from "./record.js";
import { age, showDaily, showDue, showRefusals, toneOf } from "./tables.js";

const PATH = "/api/admin/operations";
const PERIOD = 2000;
// A hidden page goes on recording its hour.
const HIDDEN_PERIOD = 10_000;
const HISTORY_PERIOD = 30_000;
const MAX_PENDING = 10_000;
const VERY_LATE = 30_000;
const REASONS = {
  unauthenticated: "This token is unknown, expired or revoked.",
  forbidden: "This token lacks the scope admin.",
};

let timer = 0;
let historyAt = 0;
let span = "minute";

// Another key than the desk's, because a trading token cannot read the operations.
const tokens = new Tokens("tradepost.operator");
const token = () => tokens.token();

/** Show the page, and update it regularly; after the form the operations are known. */
function open(operations) {
  byId("login").hidden = true;
  byId("desk").hidden = false;
  if (operations) byId("operations").focus({ preventScroll: true });
  record.restore();
  makePlots(chooseSpan);
  connect({ token, read: refresh });
  byId("sign-out").addEventListener("click", leave);
  document.addEventListener("visibilitychange", () => !document.hidden && refresh());
  tokens.onChange(() => location.reload());
  if (operations) show(operations);
  refresh();
}

function chooseSpan(name) {
  span = name;
  historyAt = 0;
  refresh();
}

/** Read the operations now and every 2 seconds, less often while the page is hidden. */
async function refresh() {
  clearTimeout(timer);
  try {
    show(await get(PATH, {}, { token: token() }));
    if (span === "hour" && Date.now() - historyAt > HISTORY_PERIOD) await refreshHistory();
  } catch (error) {
    if (error instanceof Problem && REASONS[error.code]) return tokenEnded();
    if (!(error instanceof Problem || error instanceof Silence)) throw error;
    showLight("stale", sentenceOf(error));
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, document.hidden ? HIDDEN_PERIOD : PERIOD);
}

async function refreshHistory() {
  historyAt = Date.now();
  const { minutes } = await get(`${PATH}/history`, {}, { token: token() });
  showMinutes(minutes);
}

function leave() {
  record.forget();
  tokens.end();
  location.reload();
}

function tokenEnded() {
  tokens.end("The token has expired or was revoked.");
  location.reload();
}

function showLight(state, text, title = "") {
  byId("light").dataset.state = byId("desk").dataset.state = state;
  setText(byId("light-text"), text);
  byId("light").title = title;
}

function show(operations) {
  showLight("live", `Live · ${shortClock(operations.at)} IST`, ownTime(operations.at));
  record.add(operations);
  showFigures(operations);
  showSeconds(operations.throughput.seconds);
  const workers = showBroker(operations.broker, requeue);
  showCheck(operations.ledgerCheck, operations.broker?.ledgerCheck, workers > 0);
  showResting(operations.resting);
  showService(operations);
  showDue(operations.dueOrders);
  showDaily(operations.dailyWork, operations.jobRuns);
  showRefusals(operations.counts);
}

function showFigures({ pending, throughput, latency, fills }) {
  const milliseconds = (value) => (value === null ? "–" : duration(value));
  const recent = record.readings("minute").slice(-6);
  const quotes = record.rate("quotes", recent[0], recent.at(-1));
  const failures = record.failureShare();
  figure("quotes", quotes === null ? "–" : quotes.toFixed(1));
  figure("placed", throughput.placedPerSecond.toFixed(1));
  figure("executed", throughput.executedPerSecond.toFixed(1));
  figure("pending", grouped(pending.count) + (pending.count >= MAX_PENDING ? " or more" : ""));
  figure("oldest", pending.oldestAgeMs === null ? "–" : age(pending.oldestAgeMs), toneOf(pending.oldestAgeMs ?? 0));
  for (const name of ["p50", "p99"]) {
    figure(name, milliseconds(latency[`${name}Ms`]));
    figure(`fill-${name}`, milliseconds(fills[`${name}Ms`]));
  }
  figure("failures", failures === null ? "–" : `${(100 * failures).toFixed(failures ? 2 : 0)} %`, failures ? "loss" : "");
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

function showService({ version, listeners, pools, counts }) {
  setText(byId("version"), version);
  setText(byId("listeners"), `${grouped(listeners.connected)} of ${grouped(listeners.allowed)}`);
  const used = pools.map((pool) => `${pool.process} ${pool.inUse} of ${pool.allowed}${pool.waiting ? `, ${pool.waiting} wait` : ""}`);
  setText(byId("pools"), used.join(" · ") || "–");
  byId("pools").className = pools.some((pool) => pool.waiting > 0) ? "wait" : "";
  setText(byId("unusable"), `${grouped(counts.unusableQuotes)} of ${grouped(counts.quotes)}`);
}

function figure(name, text, tone = "") {
  const element = document.querySelector(`[data-figure="${name}"]`);
  setText(element, text);
  element.dataset.tone = tone;
}

signIn({
  tokens,
  begin: (secret, options) => tokens.begin(secret, options),
  test: (secret) => get(PATH, {}, { token: secret }),
  reasons: REASONS,
  opened: open,
});

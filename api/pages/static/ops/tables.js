/** @file The longest due orders, the daily work, and the refusals. */

import { byId, setText } from "../common/dom.js";
import { grouped } from "../common/money.js";
import { Table } from "../common/table.js";
import { dayAndClock, duration, ownTime } from "../common/time.js";
import { nameOf } from "../common/words.js";
import { recentRefusals } from "./record.js";

// An order older than two sweeps is late; 30 s is far too long.
const LATE = 2000;
const VERY_LATE = 30_000;

let due = null;
let jobs = null;
let refusals = null;

/** Show the orders for which a worker has been due the longest. */
export function showDue(orders) {
  due ??= new Table(byId("due"), DUE_COLUMNS, { keyOf: (order) => order.orderId });
  due.show(orders);
  byId("due-empty").hidden = orders.length > 0;
}

/** Show the work of each day, and what is late. */
export function showDaily(works, runs) {
  jobs ??= new Table(byId("jobs"), JOB_COLUMNS, { keyOf: (run) => `${run.day} ${run.name}` });
  jobs.show(runs);
  byId("jobs-empty").hidden = runs.length > 0;
  const late = works.filter((work) => work.behindMs > 0);
  setText(byId("daily"), late.map((work) => `${nameOf(work.work)} ${age(work.behindMs)} late`).join(", ") || "nothing is late");
  byId("daily").className = toneOf(Math.max(0, ...late.map((work) => work.behindMs)));
}

/** Show the refusals of placements and the rejections of orders, by code. */
export function showRefusals({ refusals: refused, rejections }) {
  const recent = recentRefusals();
  refusals ??= new Table(byId("refusals"), REFUSAL_COLUMNS, { keyOf: (one) => `${one.when} ${one.code}` });
  const all = [...refused.map((one) => ({ ...one, when: "placing" })), ...rejections.map((one) => ({ ...one, when: "filling" }))];
  refusals.show(all.map((one) => ({ ...one, recent: recent.counts[one.code] ?? 0 })));
  setText(byId("recent-title"), recent.minutes < 60 ? `Last ${Math.max(1, recent.minutes)} min` : "Last hour");
  byId("refusals-empty").hidden = all.length > 0;
}

/** Return an age as text: "1.20 s", "12 min", "3 h". */
export function age(milliseconds) {
  if (milliseconds < 120_000) return duration(milliseconds);
  const minutes = Math.round(milliseconds / 60_000);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** Return the tone of an age: late or far too late. */
export function toneOf(milliseconds) {
  if (milliseconds > VERY_LATE) return "loss";
  return milliseconds > LATE ? "wait" : "";
}

const DUE_COLUMNS = [
  { name: "kind", value: (order) => `${nameOf(order.side)} ${grouped(order.quantity)} ${order.symbol} ${order.exchange}` },
  { name: "", label: "Status", value: (order) => nameOf(order.status) },
  { name: "due-for", label: "Due for", value: (order) => age(order.ageMs), paint: paintAge },
  { name: "arguments", label: "Order", value: (order) => order.orderId },
  { name: "arguments", label: "Account", value: (order) => order.accountId },
];

const JOB_COLUMNS = [
  { name: "kind", value: (run) => nameOf(run.name) },
  { name: "", label: "Day", value: (run) => run.day },
  { name: "state-of", label: "Done (IST)", value: doneText, paint: paintDone, title: ({ finishedAt }) => (finishedAt ? ownTime(finishedAt) : "") },
];

const REFUSAL_COLUMNS = [
  { name: "kind", value: (one) => nameOf(one.code) },
  { name: "", label: "When", value: (one) => one.when },
  { name: "", label: "Since start", value: (one) => grouped(one.count) },
  { name: "", label: "Recently", value: (one) => grouped(one.recent) },
];

function paintAge(cell, order) {
  setText(cell, age(order.ageMs));
  cell.dataset.tone = toneOf(order.ageMs);
}

function doneText(run) {
  if (run.skipped) return "skipped";
  return run.finishedAt ? dayAndClock(run.finishedAt) : "not yet";
}

function paintDone(cell, run) {
  setText(cell, doneText(run));
  cell.dataset.tone = run.finishedAt ? "" : "wait";
}

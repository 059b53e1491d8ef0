/** @file The buttons: sweep, check the ledger, send a dead letter again. */

import { byId, notify, setText } from "../common/dom.js";
import { Silence, send } from "../common/http.js";
import { sentenceOf } from "../common/problems.js";
import { dayAndClock, duration, ownTime, shortClock } from "../common/time.js";

const COUNTS = ["executed", "rejected", "opened", "cancelled", "expired", "failed"];

let access = () => ({});
let refresh = () => {};

/** Connect the buttons; `token` returns the operator's token, and `read` reads the operations again. */
export function connect({ token, read }) {
  access = () => ({ token: token() });
  refresh = read;
  byId("sweep").addEventListener("click", () => press(byId("sweep"), sweep));
  byId("verify").addEventListener("click", () => press(byId("verify"), verify));
}

/** Show the last check of the ledger, and one that is asked for or running. */
export function showCheck(last, unfinished, hasWorker) {
  const at = unfinished?.since ?? last?.at;
  const parts = last ? [`${dayAndClock(last.at)} IST`, violations(last.violations), duration(last.durationMs)] : ["not yet"];
  const result = parts.map((part) => part.replaceAll(" ", "\u00a0")).join(" · ");
  setText(byId("ledger-check"), unfinished ? stateOf(unfinished, hasWorker) : result);
  byId("ledger-check").title = at ? ownTime(at) : "";
  byId("ledger-check").className = !unfinished && last?.violations ? "loss" : "";
  byId("verify").disabled = Boolean(unfinished);
}

/** Send a dead letter again; its row disappears with the next reading. */
export async function requeue(letter) {
  try {
    await send("POST", `/api/admin/dead-letters/${letter.messageId}/requeue`, access());
    notify("The message is in its queue again.");
  } catch (error) {
    notify(error.code === "not_found" ? "This message was already sent again." : sentenceOf(error), "problem");
  }
  await refresh();
}

async function press(button, action) {
  button.disabled = true;
  try {
    notify(await action());
  } catch (error) {
    notify(error instanceof Silence ? "There is no answer yet; the work may still go on." : sentenceOf(error), "problem");
  }
  button.disabled = false;
  await refresh();
}

async function sweep() {
  const swept = await send("POST", "/api/admin/sweep", access());
  const done = COUNTS.filter((name) => swept[name] > 0).map((name) => `${swept[name]} ${name}`);
  const rest = swept.remaining ? `; ${swept.remaining} still due` : "; nothing is due any more";
  return (done.length ? `Swept in ${swept.durationMs} ms: ${done.join(", ")}` : "There was nothing to sweep") + rest + ".";
}

async function verify() {
  const { state } = await send("POST", "/api/admin/ledger-check", access());
  return state === "asked" ? "A worker was asked to check the ledger." : "The ledger is being checked.";
}

function stateOf({ state, since }, hasWorker) {
  if (state === "running") return `checking since ${shortClock(since)} IST`;
  return `asked for at ${shortClock(since)} IST${hasWorker ? "" : ", but no worker is seen"}`;
}

function violations(number) {
  if (number === 0) return "the books are right";
  return `${number} violation${number === 1 ? "" : "s"}: see ledger_violation in the log`;
}

/** @file The state in Redis: dead letters, queues and workers. */

import { byId, make, setText } from "../common/dom.js";
import { Table } from "../common/table.js";
import { dayAndClock, duration, ownTime } from "../common/time.js";

// A worker reports itself with each sweep: every 750 ms by default.
const SILENT = 10_000;

let letters = null;
let queues = null;

/** Show the broker's state, or that Redis does not answer; `requeue` sends a letter again. Return the number of workers. */
export function showBroker(broker, requeue) {
  letters ??= letterTable(requeue);
  queues ??= new Table(byId("queues"), QUEUE_COLUMNS, { keyOf: (queue) => queue.name });
  letters.show(broker?.deadLetters ?? []);
  queues.show(broker?.queues ?? []);
  const dead = (broker?.queues ?? []).reduce((sum, queue) => sum + queue.dead, 0);
  setText(byId("dead-letters-count"), broker ? String(dead) : "–");
  byId("dead-letters-empty").hidden = !broker || broker.deadLetters.length > 0;
  byId("queues-empty").hidden = Boolean(broker);
  return showWorkers(broker?.workers);
}

function showWorkers(workers) {
  const present = (workers ?? []).filter((worker) => worker.silentMs < SILENT);
  const last = Math.min(...present.map((worker) => worker.silentMs));
  const text = present.length ? `${present.length}, last seen ${duration(last)} ago` : "none seen";
  setText(byId("workers"), workers ? text : "–");
  byId("workers").className = workers && !present.length ? "loss" : "";
  return present.length;
}

function letterTable(requeue) {
  const columns = [
    { name: "kind", value: (letter) => letter.actor },
    { name: "time", label: "Failed (IST)", value: (letter) => dayAndClock(letter.diedAt), title: (letter) => ownTime(letter.diedAt) },
    { name: "arguments", label: "For", value: (letter) => letter.arguments.join(", ") || "–" },
    { name: "fault", label: "Error", value: (letter) => letter.error ?? "–" },
    { name: "action", value: () => "Re-queue", paint: (cell, letter) => paintAction(cell, letter, requeue) },
  ];
  return new Table(byId("dead-letters"), columns, { keyOf: (letter) => letter.messageId });
}

const QUEUE_COLUMNS = [
  { name: "kind", value: (queue) => queue.name },
  { name: "", label: "Waiting", value: (queue) => String(queue.waiting) },
  { name: "", label: "Working", value: (queue) => String(queue.working) },
  { name: "", label: "Delayed", value: (queue) => String(queue.delayed) },
  { name: "", label: "Dead", value: (queue) => String(queue.dead) },
];

function paintAction(cell, letter, requeue) {
  const label = `Re-queue ${letter.actor} ${letter.arguments.join(", ")}`.trim();
  const button = make("button", { type: "button", className: "quiet", textContent: "Re-queue", "aria-label": label });
  button.addEventListener("click", async () => {
    button.disabled = true;
    await requeue(letter);
    button.disabled = false;
    // The row is gone: focus the list, so that the next Tab continues from there.
    if (!button.isConnected) byId("dead-letters-region").focus({ preventScroll: true });
  });
  cell.replaceChildren(button);
}

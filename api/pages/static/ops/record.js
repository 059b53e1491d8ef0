/** @file What this browser has read in the last hour: every reading of a minute, and one in ten seconds of an hour. */

const STORED = "tradepost.operations";
const MINUTE = 60_000;
const COARSE = 10_000;
const HOUR = 3_600_000;
// A rate over less time than this says little.
const SOON = 1000;

let minute = [];
let hour = [];

/** Take over the hour that this browser has recorded, before a reload or in another tab. */
export function restore() {
  hour = stored(Date.now());
}

/** Delete the recorded hour. */
export function forget() {
  localStorage.removeItem(STORED);
}

/** Add a reading of the operations. */
export function add(operations) {
  const reading = readingOf(operations);
  if (reading.at - (minute.at(-1)?.at ?? 0) < SOON) return;
  minute = [...minute.filter((one) => one.at > reading.at - MINUTE - COARSE), reading];
  if (reading.at - (hour.at(-1)?.at ?? 0) >= COARSE) record(reading);
}

/** Store a reading, unless another tab has just stored one; a browser that stores nothing keeps the hour of this page. */
function record(reading) {
  const known = stored(reading.at);
  hour = known.length ? known : hour.filter((one) => one.at > reading.at - HOUR);
  if (reading.at - (hour.at(-1)?.at ?? 0) < COARSE) return;
  hour.push(reading);
  try {
    localStorage.setItem(STORED, JSON.stringify(hour));
  } catch {
    // The quota is used up, or storage is off.
  }
}

function stored(now) {
  try {
    const found = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return found.filter(({ at, refusals }) => at > now - HOUR && at <= now && refusals);
  } catch {
    return [];
  }
}

/** Return the readings of the last minute or of the last hour, the oldest first. */
export const readings = (span) => (span === "hour" ? hour : minute);

/** Return how often a count rises in a second between two readings; null if that is not known. */
export function rate(name, before, after) {
  const rise = riseOf(name, before, after);
  return rise === null ? null : (1000 * rise) / (after.at - before.at);
}

/** Return the share of failed requests over the readings, 0 to 1; null without requests. */
export function failureShare() {
  const requests = riseOf("requests", minute[0], minute.at(-1));
  return requests ? (riseOf("failed", minute[0], minute.at(-1)) ?? 0) / requests : null;
}

/** Return the rise of each refusal's count over the recorded hour, and the minutes that are recorded. */
export function recentRefusals() {
  const [first, last] = [hour[0], minute.at(-1)];
  if (!first || !last || first.machine !== last.machine) return { minutes: 0, counts: {} };
  const rises = Object.entries(last.refusals).map(([code, count]) => [code, Math.max(0, count - (first.refusals[code] ?? 0))]);
  return { minutes: Math.round((last.at - first.at) / MINUTE), counts: Object.fromEntries(rises) };
}

/** Counts fall when processes start again, and those of another machine say nothing about this one's. */
function riseOf(name, before, after) {
  if (!before || before === after || before.machine !== after.machine || after[name] < before[name]) return null;
  return after[name] - before[name];
}

function readingOf({ at, machine, counts, pending, latency, fills }) {
  const codes = [...counts.refusals, ...counts.rejections];
  return {
    at: Date.parse(at),
    machine,
    quotes: counts.quotes,
    requests: counts.requests,
    failed: counts.failedRequests,
    due: pending.count,
    latency: latency.p95Ms,
    fill: fills.p95Ms,
    refusals: Object.fromEntries(codes.map(({ code, count }) => [code, count])),
  };
}

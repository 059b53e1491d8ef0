/** @file Timestamps with microseconds: "2026-11-22T20:40:41.504741Z". */

const MICROS = /\.(\d{1,6})\d*Z$/;

/** Return microseconds since 1970; exact, since they stay below 2^53 until the year 2255. */
export function micros(timestamp) {
  const fraction = MICROS.exec(timestamp)?.[1] ?? "";
  const seconds = Date.parse(timestamp.replace(MICROS, "Z")) / 1000;
  return seconds * 1e6 + Number(fraction.padEnd(6, "0"));
}

/** Return the milliseconds between two timestamps, to the microsecond. */
export function millisecondsBetween(first, second) {
  return (micros(second) - micros(first)) / 1000;
}

/** Return the local time of day with milliseconds: "20:40:41.504". */
export function clock(timestamp) {
  const moment = new Date(micros(timestamp) / 1000);
  const parts = [moment.getHours(), moment.getMinutes(), moment.getSeconds()];
  const millis = String(Math.floor(micros(timestamp) / 1000) % 1000).padStart(3, "0");
  return `${parts.map(twoDigits).join(":")}.${millis}`;
}

/** Return the local time of day to the second. */
export function shortClock(timestamp) {
  return clock(timestamp).slice(0, 8);
}

/** Return the day and the time with milliseconds. */
export function fullClock(timestamp) {
  return `${day(timestamp)} ${clock(timestamp)}`;
}

/** Return the start and the end of a span, with milliseconds if it started today. */
export function span(first, last) {
  const text = isToday(first) ? clock : shortClock;
  return `${isToday(first) ? "" : `${day(first)} `}${text(first)} → ${last ? text(last) : "…"}`;
}

/** Return the time, with the day before it unless it is today. */
export function dayAndClock(timestamp) {
  return isToday(timestamp) ? shortClock(timestamp) : `${day(timestamp)} ${shortClock(timestamp).slice(0, 5)}`;
}

/** Return a duration as text: "17.2 ms", "1.20 s". */
export function duration(milliseconds) {
  if (milliseconds < 1000) return `${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms`;
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

function isToday(timestamp) {
  return new Date(micros(timestamp) / 1000).toDateString() === new Date().toDateString();
}

function day(timestamp) {
  return new Date(micros(timestamp) / 1000).toLocaleDateString("en-GB", { day: "2-digit", month: "short" });
}

function twoDigits(number) {
  return String(number).padStart(2, "0");
}

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

/*
 * The rule for times in all tables: they are in the market's zone, India, whose zone has had no summer time since 1945. The
 * column's head says "IST", and the cell's title has the person's own time, where it differs.
 */

/** Return the time of day in India with milliseconds: "10:02:11.120". */
export function clock(timestamp) {
  return inIndia(timestamp).toISOString().slice(11, 23);
}

/** Return the time of day in India to the second. */
export function shortClock(timestamp) {
  return clock(timestamp).slice(0, 8);
}

/** Return the day and the time of day in India, with the zone's name: "27 Nov 10:02:11.120 IST". */
export function fullClock(timestamp) {
  return `${day(timestamp)} ${clock(timestamp)} IST`;
}

/** Return the start and the end of a span in India, with milliseconds if it started today. */
export function span(first, last) {
  const text = isToday(first) ? clock : shortClock;
  return `${isToday(first) ? "" : `${day(first)} `}${text(first)} → ${last ? text(last) : "…"}`;
}

/** Return the time in India, with the day before it unless it is today. */
export function dayAndClock(timestamp) {
  return isToday(timestamp) ? shortClock(timestamp) : `${day(timestamp)} ${shortClock(timestamp).slice(0, 5)}`;
}

/** Return the title of a cell with a time: "Your time: 27 Nov 05:32:11 CET", or "" for a person in the market's zone. */
export function ownTime(timestamp) {
  const at = new Date(micros(timestamp) / 1000);
  const [india, here] = [partsIn(INDIA, at), partsIn(HERE, at)];
  if (isSameTime(india, here)) return "";
  return `Your time: ${here.day} ${here.month} ${here.hour}:${here.minute}:${here.second} ${here.timeZoneName}`;
}

/** Return a duration as text: "17.2 ms", "1.20 s"; `ageText` is for those of minutes and hours. */
export function duration(milliseconds) {
  if (milliseconds < 1000) return `${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms`;
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

export const INDIA = "Asia/Kolkata";
export const INDIA_AHEAD = 330 * 60_000; // in milliseconds
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const clocks = new Map();

/** Return the time of day of a moment in India and, where it differs, in the person's zone: "15:30 IST · 11:00 CET". */
export function bothClocks(moment) {
  const at = new Date(moment);
  const [india, here] = [partsIn(INDIA, at), partsIn(HERE, at)];
  const dayOf = ({ weekday, day, month }) => (at.toDateString() === new Date().toDateString() ? "" : `${weekday} ${day} ${month} `);
  const text = `${dayOf(india)}${india.hour}:${india.minute} IST`;
  return isSameTime(india, here) ? text : `${text} · ${dayOf(here)}${here.hour}:${here.minute} ${here.timeZoneName}`;
}

/** Return the time with seconds in India and, where it differs, in the person's zone. */
export function nowInBothZones(moment) {
  const at = new Date(moment);
  const [india, here] = [partsIn(INDIA, at), partsIn(HERE, at)];
  const text = `${india.hour}:${india.minute}:${india.second} IST`;
  return isSameTime(india, here) ? text : `${text} · ${here.hour}:${here.minute} ${here.timeZoneName}`;
}

/** Return the time that is left as hours, minutes and seconds: "1:02:05", "2:05"; from two days on as days. */
export function countdown(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  const tail = `${hours ? twoDigits(minutes) : minutes}:${twoDigits(seconds % 60)}`;
  return hours ? `${hours}:${tail}` : tail;
}

/** Return an age in words: "15 s", "4 min", "2 h", "3 days". */
export function ageText(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

function partsIn(timeZone, at) {
  if (!clocks.has(timeZone)) {
    const style = { timeZone, timeZoneName: "short", hourCycle: "h23", weekday: "short", day: "2-digit", month: "short" };
    clocks.set(timeZone, new Intl.DateTimeFormat("en-GB", { ...style, hour: "2-digit", minute: "2-digit", second: "2-digit" }));
  }
  return Object.fromEntries(clocks.get(timeZone).formatToParts(at).map(({ type, value }) => [type, value]));
}

function isSameTime(first, second) {
  return first.hour === second.hour && first.minute === second.minute;
}

function inIndia(timestamp) {
  return new Date(Math.floor(micros(timestamp) / 1000) + INDIA_AHEAD);
}

function isToday(timestamp) {
  return dateOf(inIndia(timestamp)) === dateOf(new Date(Date.now() + INDIA_AHEAD));
}

const dateOf = (moment) => moment.toISOString().slice(0, 10);

function day(timestamp) {
  return inIndia(timestamp).toLocaleDateString("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });
}

function twoDigits(number) {
  return String(number).padStart(2, "0");
}

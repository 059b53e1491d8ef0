/** @file The labels of the plots' axes: times in India, and amounts with as many digits as their steps need. */

import { grouped } from "../../common/money.js";
import { INDIA, INDIA_AHEAD } from "../../common/time.js";
import { uPlot } from "../../common/uplot.js";

const MINUTES_ONLY_FROM = 600;

/** The steps between the labels of a time axis, in seconds. */
export const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];

/** Return the moment of a time in seconds, with the fields of India's clock: whole hours of an axis are hours there. */
export const indiaDate = (seconds) => uPlot.tzDate(new Date(seconds * 1000), INDIA);

/** Return the labels of times: with seconds on a short axis. */
export function clockTicks(_, ticks) {
  const isShort = ticks.length > 1 && ticks.at(-1) - ticks[0] < MINUTES_ONLY_FROM;
  return ticks.map((tick) => new Date(tick * 1000 + INDIA_AHEAD).toISOString().slice(11, isShort ? 19 : 16));
}

/** Return an amount in full, with paise where the labels are less than a rupee apart: no two labels read the same. */
export function rupees(value, step) {
  return grouped(step < 1 ? value.toFixed(2) : String(Math.round(value)));
}

/** Return the function of uPlot that labels an axis with `tick(value, step)`. */
export function ticksOf(tick) {
  return (_, ticks, _axis, _space, step) => ticks.map((value) => tick(value, step));
}

/** Return the width that the longest label needs. */
export function widthOf(_, labels) {
  return Math.max(48, 14 + 6.5 * Math.max(0, ...(labels ?? []).map((label) => label.length)));
}

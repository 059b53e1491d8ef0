/** @file The time of day in India, whose zone has had no summer time since 1945. */

import { micros } from "../../common/time.js";

const OFFSET = 330 * 60_000;

/** Return the time of day in India with milliseconds: "10:02:11.120". */
export function indiaClock(timestamp) {
  return new Date(Math.floor(micros(timestamp) / 1000) + OFFSET).toISOString().slice(11, 23);
}

/** Return the day and the time of day in India: "27 Nov 10:02:11.120 IST". */
export function indiaMoment(timestamp) {
  const moment = new Date(Math.floor(micros(timestamp) / 1000) + OFFSET);
  const day = moment.toLocaleDateString("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });
  return `${day} ${indiaClock(timestamp)} IST`;
}

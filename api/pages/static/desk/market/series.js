/** @file Values over time: each of the last minutes, and one a minute before. */

const FIRST = 256;
const MOST_RECENT = 7200;
const MOST_MINUTES = 1440;

/** Times in seconds and values, of which the oldest give way when the ring holds `most`. */
class Ring {
  #times = new Float64Array(FIRST);
  #values = new Float64Array(FIRST);
  #start = 0;
  length = 0;

  constructor(most) {
    this.most = most;
  }

  /** Add a value; one at or before the last time takes the place of the last. */
  add(at, value) {
    if (this.length > 0 && at <= this.#times[this.#place(this.length - 1)]) {
      this.#values[this.#place(this.length - 1)] = value;
      return;
    }
    if (this.length === this.#times.length && this.length < this.most) this.#grow();
    if (this.length === this.#times.length) this.#start = (this.#start + 1) % this.length;
    else this.length += 1;
    this.#times[this.#place(this.length - 1)] = at;
    this.#values[this.#place(this.length - 1)] = value;
  }

  /** Return the times and the values from a time on, with the last value before it. */
  since(start) {
    let first = this.length;
    while (first > 0 && this.#times[this.#place(first - 1)] >= start) first -= 1;
    if (first > 0) first -= 1;
    const places = Array.from({ length: this.length - first }, (_, index) => this.#place(first + index));
    return [places.map((place) => this.#times[place]), places.map((place) => this.#values[place])];
  }

  /** Return the first or the last time, or null if there is none. */
  time(index) {
    return this.length === 0 ? null : this.#times[this.#place(index < 0 ? this.length + index : index)];
  }

  #place(index) {
    return (this.#start + index) % this.#times.length;
  }

  #grow() {
    const [times, values] = this.since(-Infinity);
    const size = Math.min(this.most, this.#times.length * 2);
    this.#times = new Float64Array(size);
    this.#values = new Float64Array(size);
    this.#times.set(times);
    this.#values.set(values);
    this.#start = 0;
  }
}

/** The values of one thing. */
export class Series {
  #recent = new Ring(MOST_RECENT);
  #minutes = new Ring(MOST_MINUTES);

  /** Add a value; one at or before the last time takes the place of the last. */
  add(at, value) {
    this.#recent.add(at, value);
    this.#minutes.add(Math.ceil(at / 60) * 60, value);
  }

  /** Return the times and the values from a time on, with the last value before it. */
  since(start) {
    const [times, values] = this.#recent.since(start);
    if (times.length === 0 || times[0] <= start) return [times, values];
    const [oldTimes, oldValues] = this.#minutes.since(start);
    const count = oldTimes.filter((at) => at < times[0]).length;
    return [[...oldTimes.slice(0, count), ...times], [...oldValues.slice(0, count), ...values]];
  }

  /** The first time in seconds, or null. */
  get first() {
    return this.#recent.length ? Math.min(this.#recent.time(0), this.#minutes.time(0)) : null;
  }

  /** The last time in seconds, or null. */
  get last() {
    return this.#recent.time(-1);
  }
}

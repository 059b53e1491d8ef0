/** @file Calls the views for all changes of one burst at once, before the next frame. */

// Quotes are painted four times a second, as often as the server sends one stock's: ten times took half as much
// processor again.
const QUOTE_PAUSE = 250;

/** The listeners of topics, and the topics that have changed since they were called. */
export class Announcer {
  #listeners = new Map();
  #changed = new Map();
  #urgent = new Map();
  #announced = new Set();
  #late = new Map();
  #isScheduled = false;
  #quotesAt = 0;
  #timer = 0;

  /** `wholes` are functions by topic that return the argument for a listener that starts late. */
  constructor(wholes) {
    this.wholes = wholes;
    document.addEventListener("visibilitychange", () => this.#schedule());
  }

  /** Call `action` after any of the topics has changed, and once if one has changed before. */
  on(topics, action) {
    for (const topic of topics) this.#listeners.set(topic, [...(this.#listeners.get(topic) ?? []), action]);
    const missed = topics.filter((topic) => this.#announced.has(topic));
    if (missed.length === 0) return;
    this.#late.set(action, missed.map((topic) => this.wholes[topic]).find(Boolean));
    this.#schedule();
  }

  /** Announce a topic before the next frame; `valueOf` returns the argument of the call. A hidden tab waits. */
  announce(topic, valueOf = () => undefined) {
    this.#changed.set(topic, valueOf);
    this.#schedule();
  }

  /** Announce a topic at once, also in a hidden tab. */
  announceNow(topic, valueOf) {
    if (this.#urgent.size === 0) setTimeout(() => this.#call(this.#urgent), 0);
    this.#urgent.set(topic, valueOf);
  }

  #schedule() {
    if (this.#isScheduled || this.#changed.size + this.#late.size === 0 || document.hidden) return;
    const isOnlyQuotes = this.#late.size === 0 && this.#changed.size === 1 && this.#changed.has("quotes");
    const pause = isOnlyQuotes ? this.#quotesAt + QUOTE_PAUSE - performance.now() : 0;
    clearTimeout(this.#timer);
    if (pause > 0) {
      this.#timer = setTimeout(() => this.#schedule(), pause);
      return;
    }
    this.#isScheduled = true;
    requestAnimationFrame(() => this.#callAll());
  }

  #callAll() {
    this.#isScheduled = false;
    if (this.#changed.has("quotes")) this.#quotesAt = performance.now();
    const late = [...this.#late];
    this.#late.clear();
    const called = this.#call(this.#changed);
    for (const [action, whole] of late) if (whole || !called.has(action)) action(whole?.());
  }

  /** Call the listeners of changes, each once, and return them. */
  #call(changes) {
    const calls = new Map();
    for (const [topic, valueOf] of changes) {
      this.#announced.add(topic);
      const value = valueOf();
      for (const action of this.#listeners.get(topic) ?? []) calls.set(action, value ?? calls.get(action));
    }
    changes.clear();
    for (const [action, value] of calls) action(value);
    return calls;
  }
}

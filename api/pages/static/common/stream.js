/** @file The account's events and the ticks of watched stocks over a websocket, which reconnects by itself. */

import { Problem, Silence, get } from "./http.js";

const FIRST_DELAY = 250;
const MAX_DELAY = 8000;
const STALE_AFTER = 10_000;
const SILENCE_CHECK = 10_000;
const SILENCE_GRACE = 3000;
const PATIENCE = 10_000;
const BAD_TOKEN = 4401;

/**
 * A stream of the events after `since` (null: after the present).
 *
 * It misses no event; of ticks only the newest comes. Handlers: event(event), quote(stock), ready(id, isFirst), reset(id),
 * state({ name, replayed?, attempt? }), refused().
 */
export class Stream {
  constructor({ token, since, handlers }) {
    Object.assign(this, { token, handlers, last: since, attempt: 0, socket: null, timer: 0, isStopped: false });
    this.replayFrom = this.replayUntil = null;
    this.lostAt = Date.now();
    this.watched = new Set();
  }

  /** Ask for the ticks of these stocks too, given by their keys ("NSE:RELIANCE"); also after each reconnect. */
  watch(keys) {
    for (const key of keys) this.watched.add(key);
    if (this.isLive) this.ask("watch", [...keys]);
  }

  /** Ask for the ticks of these stocks no more. */
  unwatch(keys) {
    for (const key of keys) this.watched.delete(key);
    if (this.isLive) this.ask("unwatch", [...keys]);
  }

  ask(action, keys) {
    if (keys.length > 0) this.socket.send(JSON.stringify({ action, symbols: keys }));
  }

  /** Connect, and reconnect after each failure. */
  start() {
    this.connect();
    this.watchdog = setInterval(() => this.findSilence(), SILENCE_CHECK);
    this.ageing = setInterval(() => this.reportAge(), 1000);
    this.hurry = () => document.visibilityState === "visible" && this.reconnectNow();
    this.doubt = () => this.findSilence();
    addEventListener("online", this.hurry);
    addEventListener("offline", this.doubt);
    document.addEventListener("visibilitychange", this.hurry);
  }

  /** Disconnect, and do not reconnect. */
  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.patience);
    clearInterval(this.watchdog);
    clearInterval(this.ageing);
    removeEventListener("online", this.hurry);
    removeEventListener("offline", this.doubt);
    document.removeEventListener("visibilitychange", this.hurry);
    this.drop();
  }

  connect() {
    clearTimeout(this.timer);
    const url = new URL("/api/trading/stream", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.socket = socket;
    this.isLive = false;
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.socket === socket && !this.isLive && this.giveUp(), PATIENCE);
    socket.onopen = () => socket.send(JSON.stringify(this.greeting()));
    socket.onmessage = (message) => this.socket === socket && this.take(JSON.parse(message.data));
    socket.onclose = (event) => this.socket === socket && this.lose(event.code);
  }

  greeting() {
    const since = this.last === null ? {} : { since: this.last };
    return { action: "auth", token: this.token, ...since };
  }

  take(message) {
    if (message.type === "quote") this.handlers.quote(message.data);
    else if (message.type === "ready") this.begin(message.lastEventId);
    else if (message.type === "reset") this.startAnew(message.lastEventId);
    else if (message.id > this.last) {
      this.last = message.id;
      this.handlers.event(message);
      this.reportReplay();
    }
  }

  begin(newestId) {
    const isResumed = this.attempt > 0;
    const isFirst = this.last === null;
    this.replayFrom = this.last ?? newestId;
    this.replayUntil = newestId;
    this.last ??= newestId;
    this.isResumed = isResumed;
    this.isLive = true;
    this.attempt = 0;
    this.lostAt = null;
    this.handlers.ready(this.last, isFirst);
    this.ask("watch", [...this.watched]);
    this.reportReplay();
  }

  /** Report the state "live" when all missed events have come. */
  reportReplay() {
    if (this.replayUntil === null || this.last < this.replayUntil) return;
    const replayed = this.replayUntil - this.replayFrom;
    this.replayUntil = null;
    this.handlers.state({ name: "live", replayed: this.isResumed || replayed > 0 ? replayed : null });
  }

  startAnew(newestId) {
    this.last = newestId;
    this.replayUntil = null;
    this.isLive = true;
    this.attempt = 0;
    this.lostAt = null;
    this.handlers.reset(newestId);
    this.ask("watch", [...this.watched]);
    this.handlers.state({ name: "live", replayed: null });
  }

  async lose(code) {
    this.socket = null;
    this.isLive = false;
    this.replayUntil = null;
    // The server uses the same code when the first message came too late.
    if (code === BAD_TOKEN && (await hasTokenEnded())) this.handlers.refused();
    else if (!this.isStopped) this.comeBack();
  }

  comeBack() {
    this.lostAt ??= Date.now();
    this.attempt += 1;
    this.reportAge();
    const delay = Math.min(MAX_DELAY, FIRST_DELAY * 2 ** (this.attempt - 1));
    // A random share, so that not all desks reconnect at the same moment.
    this.timer = setTimeout(() => this.connect(), delay * (0.5 + Math.random() / 2));
  }

  reportAge() {
    if (this.lostAt === null || this.attempt === 0) return;
    const name = Date.now() - this.lostAt > STALE_AFTER ? "stale" : "reconnecting";
    this.handlers.state({ name, attempt: this.attempt, lostAt: this.lostAt });
  }

  reconnectNow() {
    if (!this.isStopped && this.socket === null) this.connect();
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  giveUp() {
    this.drop();
    this.lose(0);
  }

  /** Check over HTTP if the socket has missed an event although it looks alive; if so, reconnect. */
  async findSilence() {
    if (!this.isLive || document.visibilityState !== "visible") return;
    const socket = this.socket;
    const page = await get("/api/trading/events", { since: this.last, limit: 1 }).catch((error) => error);
    const missing = page.data?.[0]?.id ?? 0;
    if (page instanceof Silence && this.socket === socket) this.giveUp();
    else if (missing > this.last) setTimeout(() => this.socket === socket && this.last < missing && this.giveUp(), SILENCE_GRACE);
  }
}

async function hasTokenEnded() {
  const error = await get("/api/trading/account").catch((reason) => reason);
  return error instanceof Problem && [401, 403].includes(error.status);
}

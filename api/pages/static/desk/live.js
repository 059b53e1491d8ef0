/** @file Keep the desk live: the stream with its light, the session's clock, and what ages. */

import { showLight } from "../common/light.js";
import * as session from "../common/session.js";
import { Stream } from "../common/stream.js";
import { showSession } from "./session_clock.js";

/** Connect the store to the stream; `refused` is called when the token ends. */
export function startLive(store, sync, { refused }) {
  showSession(store);
  const handlers = { ...handlersOf(store, sync), refused };
  const stream = new Stream({ token: session.token(), since: session.lastEventId(), handlers });
  store.connect(stream);
  stream.start();
  setInterval(() => !document.hidden && store.announceAges(), 1000);
}

/** Return the handlers of the messages of the stream. */
function handlersOf(store, sync) {
  return {
    event(event) {
      session.rememberEvent(event.id);
      sync.take(event);
    },
    quote(stock) {
      store.tickAt = Date.now();
      store.putQuotes([stock]);
    },
    ready(id, isFirst) {
      session.rememberEvent(id);
      // What happened while the stream was being opened is in no event.
      if (isFirst) sync.loadAgain();
    },
    reset(id) {
      session.rememberEvent(id);
      sync.load();
    },
    state: showLight,
  };
}

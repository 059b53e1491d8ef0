/** @file Start the desk: ask for a token once, then connect the store, the stream and the views. */

import { byId, notify } from "../common/dom.js";
import { showFunds } from "./funds.js";
import { Ledger } from "./books/ledger.js";
import { showLight } from "../common/light.js";
import { askForToken } from "../common/login.js";
import { showOrders } from "./books/orders.js";
import { showPlots } from "./market/plots.js";
import { showPositions } from "./books/positions.js";
import * as session from "../common/session.js";
import { Store } from "./store.js";
import { Stream } from "../common/stream.js";
import { Sync } from "./sync.js";
import { startTicket } from "./ticket/ticket.js";

/** Show the desk for the stored token. */
function openDesk() {
  byId("login").hidden = true;
  byId("desk").hidden = false;
  const store = new Store();
  const sync = new Sync(store, { refused: tokenEnded });
  showFunds(store);
  showPositions(store);
  showOrders(store, sync);
  showPlots(store);
  new Ledger(store);
  startTicket(store);
  const stream = new Stream({ token: session.token(), since: session.lastEventId(), handlers: handlersOf(sync) });
  byId("sign-out").addEventListener("click", leave);
  stream.start();
  sync.load();
}

/** Return the handlers of the messages of the stream. */
function handlersOf(sync) {
  return {
    event(event) {
      session.rememberEvent(event.id);
      sync.take(event);
    },
    ready: session.rememberEvent,
    reset(id) {
      session.rememberEvent(id);
      sync.load();
    },
    state: showLight,
    refused: tokenEnded,
  };
}

/** Sign out, and reload, so that the page keeps no data of the account. */
function leave() {
  session.end();
  location.reload();
}

function tokenEnded() {
  notify("The token has expired or was revoked.", "problem");
  session.end();
  setTimeout(() => location.reload(), 1500);
}

if (session.token()) openDesk();
else askForToken(openDesk);

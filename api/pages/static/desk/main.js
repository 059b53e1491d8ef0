/** @file Start the desk: sign in once, then connect the store, the stream and the views. */

import { showBooks } from "./books/books.js";
import { byId } from "../common/dom.js";
import { showFunds } from "./funds.js";
import { get, send } from "../common/http.js";
import { showLight } from "../common/light.js";
import { signIn } from "../common/login.js";
import * as session from "../common/session.js";
import { showSession } from "./session_clock.js";
import { Store } from "./store.js";
import { Stream } from "../common/stream.js";
import { Sync } from "./sync.js";

const REVOKED = "The token was revoked or has expired. Sign in with another one.";
const REASONS = {
  unauthenticated: "This token is unknown, expired or revoked.",
  forbidden: "This token may not read an account.",
  validation_failed: "This token belongs to no trading account. The desk needs the token of an account.",
};
const NO_ORDER = "00000000-0000-0000-0000-000000000000";

/** Show the desk for the stored token; `answer` is that of the form's test, or null. */
function openDesk(answer) {
  byId("login").hidden = true;
  byId("desk").hidden = false;
  const store = new Store();
  const sync = new Sync(store, { refused: tokenEnded });
  const stream = new Stream({ token: session.token(), since: session.lastEventId(), handlers: handlersOf(store, sync) });
  showFunds(store);
  showSession(store);
  showBooks(store, sync);
  store.on(["loaded"], showLoaded);
  store.connect(stream);
  byId("sign-out").addEventListener("click", () => leave(""));
  session.tokens.onChange(() => location.reload());
  setInterval(() => !document.hidden && store.announceAges(), 1000);
  stream.start();
  sync.load();
  startRest(store, Boolean(answer));
}

/** Start what the first paint does not need, when the tables have been painted. */
async function startRest(store, isNew) {
  await paintOfTables(store);
  // The server lists the modules that follow, so that they need not be found import by import.
  for (const link of document.querySelectorAll("link[rel=later]")) link.rel = "modulepreload";
  const { startLater } = await import("./later.js");
  startLater(store);
  byId("ticket").closest("[inert]").inert = false;
  if (isNew) byId("symbol").focus();
}

/** Wait until the first data has been painted. */
function paintOfTables(store) {
  return new Promise((resolve) => store.on(["loaded"], () => requestAnimationFrame(() => setTimeout(resolve, 0))));
}

/** Return the handlers of the messages of the stream. */
function handlersOf(store, sync) {
  return {
    event(event) {
      session.rememberEvent(event.id);
      sync.take(event);
    },
    quote: (stock) => store.putQuotes([stock]),
    ready: session.rememberEvent,
    reset(id) {
      session.rememberEvent(id);
      sync.load();
    },
    state: showLight,
    refused: tokenEnded,
  };
}

/** End the look of loading: what is empty now is empty. */
function showLoaded() {
  for (const element of byId("desk").querySelectorAll("[aria-busy=true]")) element.removeAttribute("aria-busy");
}

/** Sign out, and reload, so that the page keeps no data of the account. */
function leave(reason) {
  session.end(reason);
  location.reload();
}

function tokenEnded() {
  leave(REVOKED);
}

/** Read the account of a token, and learn if it may trade. */
async function testToken(token) {
  const account = await get("/api/trading/account", {}, { token });
  return { account, mayTrade: account.scopes ? account.scopes.includes("trade") : await probe(token) };
}

/** Return true if the token may trade: ask to cancel an order that does not exist. */
async function probe(token) {
  const error = await send("DELETE", `/api/trading/orders/${NO_ORDER}`, { token }).catch((reason) => reason);
  return error?.code !== "forbidden";
}

signIn({
  tokens: session.tokens,
  begin: session.begin,
  test: testToken,
  reasons: REASONS,
  opened(answer) {
    if (answer) session.rememberMayTrade(answer.mayTrade);
    openDesk(answer);
  },
});

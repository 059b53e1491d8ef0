/** @file Open the desk in steps: the funds and the tables first, then the stream, the ticket, and the rest. */

import { byId } from "../common/dom.js";
import * as session from "../common/session.js";
import { showFunds } from "./funds.js";
import { Store } from "./store.js";
import { Sync } from "./sync.js";

const REVOKED = "The token was revoked or has expired. Sign in with another one.";

/** Show the desk for the stored token; `account` has been read if the person has just signed in, else it is null. */
export async function openDesk({ account }) {
  byId("login").hidden = true;
  byId("desk").hidden = false;
  byId("sign-out").addEventListener("click", () => leave(""));
  session.tokens.onChange(() => location.reload());
  const refused = () => leave(REVOKED);
  const store = new Store();
  const sync = new Sync(store, { refused });
  store.on(["account"], () => session.rememberMayTrade(store.account.scopes.includes("trade")));
  showFunds(store);
  sync.load(account);
  const live = import("./live.js");
  const { showBooks } = await import("./books/books.js");
  showBooks(store, sync);
  const painted = paintOfTables(store);
  (await live).startLive(store, sync, { refused });
  await painted;
  const { startTicket } = await import("./ticket/ticket.js");
  startTicket(store);
  byId("ticket").closest("[inert]").inert = false;
  if (account) byId("symbol").focus();
  const { startLater } = await import("./later.js");
  await startLater(store);
}

/** Wait until the tables have been painted, and end their look of loading: what is empty now is empty. */
function paintOfTables(store) {
  return new Promise((resolve) => {
    store.on(["loaded"], () => {
      byId("books").removeAttribute("aria-busy");
      requestAnimationFrame(() => setTimeout(resolve, 0));
    });
  });
}

/** Sign out, and reload, so that the page keeps no data of the account. */
function leave(reason) {
  session.end(reason);
  location.reload();
}

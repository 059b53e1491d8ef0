/** @file The form for the token, which is tested before it is stored. */

import { byId } from "./dom.js";
import { Problem, get, send } from "./http.js";
import * as session from "./session.js";

const REASONS = {
  unauthenticated: "This token is unknown, expired or revoked.",
  forbidden: "This token may not read an account.",
  validation_failed: "This token belongs to no trading account. The desk needs the token of an account.",
};

const NO_ORDER = "00000000-0000-0000-0000-000000000000";

/** Show the form; call `opened` when a token works. */
export function askForToken(opened) {
  const form = byId("login-form");
  byId("login").hidden = false;
  byId("token").focus();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const secret = byId("token").value.trim();
    const reason = await reasonAgainst(secret);
    byId("token-error").textContent = reason;
    byId("token").setAttribute("aria-invalid", String(reason !== ""));
    if (reason) {
      byId("token").select();
      return;
    }
    session.begin(secret);
    session.rememberMayTrade(await mayTrade());
    form.reset();
    opened();
    byId("symbol").focus();
  });
}

async function reasonAgainst(secret) {
  if (!/^[\x21-\x7e]{1,256}$/.test(secret)) return "Paste a token: one word without spaces.";
  try {
    await get("/api/trading/account", {}, { token: secret });
    return "";
  } catch (error) {
    return error instanceof Problem ? (REASONS[error.code] ?? error.message) : error.message;
  }
}

/** Return true if the token may trade. The API does not show scopes, so this cancels an order that does not exist. */
async function mayTrade() {
  const error = await send("DELETE", `/api/trading/orders/${NO_ORDER}`).catch((reason) => reason);
  return error?.code !== "forbidden";
}

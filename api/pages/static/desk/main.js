/** @file Sign in to the desk, and open it; what it shows comes in later modules, and the form needs none of them. */

import { get, send } from "../common/http.js";
import { signIn } from "../common/login.js";
import * as session from "../common/session.js";

const REASONS = {
  unauthenticated: "This token is unknown, expired or revoked.",
  forbidden: "This token may not read an account.",
  validation_failed: "This token belongs to no trading account. The desk needs the token of an account.",
};
const NO_ORDER = "00000000-0000-0000-0000-000000000000";

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
  async opened(answer) {
    if (answer) session.rememberMayTrade(answer.mayTrade);
    const { openDesk } = await import("./open.js");
    openDesk({ isNew: answer !== null });
  },
});

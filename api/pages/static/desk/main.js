/** @file Sign in to the desk, and open it; what it shows comes in later modules, and the form needs none of them. */

import { get } from "../common/http.js";
import { signIn } from "../common/login.js";
import * as session from "../common/session.js";

const REASONS = {
  unauthenticated: "This token is unknown, expired or revoked.",
  forbidden: "This token may not read an account.",
  validation_failed: "This token belongs to no trading account. The desk needs the token of an account.",
};

/** Read the account of a token; the desk opens with it. */
function readAccount(token) {
  return get("/api/trading/account", {}, { token });
}

signIn({
  tokens: session.tokens,
  begin: session.begin,
  test: readAccount,
  reasons: REASONS,
  async opened(account) {
    const { openDesk } = await import("./open.js");
    openDesk({ account });
  },
});

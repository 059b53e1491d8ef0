/** @file Sign in: by the stored token, by a link with the token in its fragment, or by the form, which tests it first. */

import { byId, setText } from "./dom.js";
import { Problem, Silence } from "./http.js";

const SHAPE = /^[\x21-\x7e]{1,256}$/;
const LINK = /^#token=(.+)$/;

/**
 * Call `opened(answer)` with a token stored: at once with null if there is one, else with the answer of the test.
 *
 * `test(secret)` reads what the page needs; `reasons` are sentences for its refusals by code. `begin(secret, options)`
 * stores a token that works.
 */
export function signIn({ tokens, begin, test, reasons, opened }) {
  const form = new Form({ begin, test, reasons, opened });
  const link = takeLink();
  // The address of an open page may get a new token, too.
  addEventListener("hashchange", () => LINK.test(location.hash) && location.reload());
  if (link !== null && link !== tokens.token()) form.useLink(link);
  else if (tokens.token() !== null) opened(null);
  else form.show(tokens.takeReason());
}

/** Return the token in the address's fragment and remove it from the address, so that no history keeps it. */
function takeLink() {
  const [, text] = LINK.exec(location.hash) ?? [];
  if (text === undefined) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return safelyDecoded(text);
}

function safelyDecoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

class Form {
  #isBusy = false;

  constructor(options) {
    Object.assign(this, options);
    byId("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#try(byId("token").value.trim(), { isShared: byId("remember").checked });
    });
  }

  show(reason) {
    byId("desk").hidden = true;
    byId("login").hidden = false;
    this.#explain(reason);
    byId("token").setAttribute("aria-invalid", "false");
    byId("token").focus();
  }

  /** Test the token of a link, behind the empty page if common/first.js has shown it. */
  useLink(secret) {
    if (byId("desk").hidden) this.show("");
    this.#try(secret, {});
  }

  async #try(secret, options) {
    if (this.#isBusy) return;
    if (!SHAPE.test(secret)) return void this.#refuse("Paste a token: one word without spaces.");
    this.#setBusy(true);
    try {
      const answer = await this.test(secret);
      this.begin(secret, options);
      byId("login-form").reset();
      this.#explain("");
      this.opened(answer);
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Silence)) throw error;
      this.#refuse(this.reasons[error.code] ?? error.message);
    } finally {
      this.#setBusy(false);
    }
  }

  #refuse(reason) {
    this.show(reason);
    byId("token").setAttribute("aria-invalid", "true");
    byId("token").focus();
    byId("token").select();
  }

  #explain(reason) {
    setText(byId("token-error"), reason);
  }

  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    const button = byId("login-form").querySelector("[type=submit]");
    button.setAttribute("aria-busy", String(isBusy));
    button.setAttribute("aria-disabled", String(isBusy));
    if (isBusy) this.label = button.textContent;
    setText(button, isBusy ? "Checking the token …" : this.label);
  }
}

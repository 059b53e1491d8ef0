/** @file Where a page stores its token: in its tab, or for all tabs of the browser if the person chose so. */

const ENDED = ".ended";

/** The token of one kind of page, under a name of its own. */
export class Tokens {
  constructor(name) {
    this.name = name;
  }

  /** Return the token, or null if there is none. */
  token() {
    return sessionStorage.getItem(this.name) ?? localStorage.getItem(this.name);
  }

  /** Store a token that works, for this tab or for all. */
  begin(secret, { isShared = false } = {}) {
    (isShared ? localStorage : sessionStorage).setItem(this.name, secret);
    if (isShared) sessionStorage.removeItem(this.name);
    localStorage.removeItem(this.name + ENDED);
  }

  /** Delete the token in all tabs, and keep the reason for the form: "" if the person has signed out. */
  end(reason = "") {
    sessionStorage.removeItem(this.name);
    if (reason) sessionStorage.setItem(this.name + ENDED, reason);
    if (localStorage.getItem(this.name) === null) return;
    // Before the token: the other tabs read it when the token goes.
    localStorage.setItem(this.name + ENDED, reason || "You signed out in another tab.");
    localStorage.removeItem(this.name);
  }

  /** Return the reason for which this tab's token ended, once. */
  takeReason() {
    const reason = sessionStorage.getItem(this.name + ENDED) ?? "";
    sessionStorage.removeItem(this.name + ENDED);
    return reason;
  }

  /** Call `action` when another tab has deleted or replaced the token that this tab uses. */
  onChange(action) {
    let known = this.token();
    addEventListener("storage", (event) => {
      if (event.storageArea !== localStorage || (event.key !== null && event.key !== this.name)) return;
      const present = this.token();
      if (present === known) return;
      known = present;
      if (present === null) sessionStorage.setItem(this.name + ENDED, localStorage.getItem(this.name + ENDED) ?? "");
      action();
    });
  }
}

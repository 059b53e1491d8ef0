/** @file The fund ledger, page by page; the first page shows new entries as they come. */

import { byId, debounce, notify, setText } from "../../common/dom.js";
import { get } from "../../common/http.js";
import { MINUS, difference, grouped } from "../../common/money.js";
import { sentenceOf } from "../../common/problems.js";
import { Table } from "../../common/table.js";
import { dayAndClock, ownTime } from "../../common/time.js";
import { nameOf } from "../../common/words.js";

const PAGE = 8;
// The sign of an entry's effect on the balance; entries of margin leave the balance as it is.
const SIGNS = {
  ...{ DEPOSIT: "+", PROFIT: "+", CHARGES_REFUND: "+", ADJUST_CREDIT: "+" },
  ...{ WITHDRAWAL: MINUS, CHARGES: MINUS, LOSS: MINUS, ADJUST_DEBIT: MINUS },
};

const COLUMNS = [
  { name: "time", label: "Time (IST)", value: (row) => dayAndClock(row.createdAt), title: (row) => ownTime(row.createdAt) },
  { name: "kind", label: "Entry", value: (row) => nameOf(row.kind) },
  { name: "amount", label: "Amount", value: amountOf },
  { name: "balance", label: "Balance after", value: (row) => grouped(row.balanceAfter) },
  { name: "blocked", label: "Blocked after", value: (row) => grouped(row.blockedAfter) },
  {
    name: "available",
    label: "Available after",
    value: (row) => grouped(difference(row.balanceAfter, row.blockedAfter)),
  },
];

/** The table of the ledger, and the cursors of its pages up to the current one. */
export class Ledger {
  #cursors = [null];
  #next = null;
  #asked = 0;

  constructor(store) {
    this.table = new Table(byId("ledger"), COLUMNS, { keyOf: (row) => row.id });
    const follow = debounce(() => this.#cursors.length === 1 && this.#read(), 150);
    store.on(["ledger", "history"], follow);
    byId("ledger-export").addEventListener("click", async ({ currentTarget: button }) => {
      const { exportLedger } = await import("./export.js");
      exportLedger(button);
    });
    byId("ledger-newer").addEventListener("click", () => this.#turn(() => this.#cursors.pop()));
    byId("ledger-older").addEventListener("click", () => this.#turn(() => this.#cursors.push(this.#next)));
  }

  #turn(step) {
    step();
    this.#read();
  }

  async #read() {
    const asked = ++this.#asked;
    try {
      const page = await get("/api/trading/transactions", { limit: PAGE, cursor: this.#cursors.at(-1) });
      if (asked === this.#asked) this.#show(page);
    } catch (error) {
      notify(`The ledger could not be read. ${sentenceOf(error)}`, "problem");
    }
  }

  #show(page) {
    this.#next = page.nextCursor;
    this.table.show(page.data);
    byId("ledger-empty").hidden = page.data.length > 0;
    byId("ledger-newer").disabled = this.#cursors.length === 1;
    byId("ledger-older").disabled = this.#next === null;
    setText(byId("ledger-page"), this.#cursors.length > 1 || this.#next ? `Page ${this.#cursors.length}` : "");
  }
}

/** Return an entry's amount with the sign of its effect on the balance. */
export function amountOf(row) {
  return `${SIGNS[row.kind] ?? ""}${grouped(row.amount)}`;
}

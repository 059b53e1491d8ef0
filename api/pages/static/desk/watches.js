/** @file The stocks whose ticks the desk needs: the union of what its parts need, in the order of their importance. */

const MAX_WATCHED = 200;
const OWNERS = ["watch list", "ticket", "books"];

/** The sets of the owners, and the stream that watches their union. */
export class Watches {
  #needs = new Map();
  #watched = new Set();
  #stream = null;

  /** Replace the set of one owner. */
  put(owner, keys) {
    this.#needs.set(owner, [...keys]);
    this.#update();
  }

  /** Watch the union on this stream. */
  connect(stream) {
    this.#stream = stream;
    this.#watched = new Set();
    this.#update();
  }

  #update() {
    if (!this.#stream) return;
    const wanted = this.#union();
    const gone = [...this.#watched].filter((key) => !wanted.has(key));
    const added = [...wanted].filter((key) => !this.#watched.has(key));
    this.#watched = wanted;
    // First those that go, so that there is room for the new ones.
    if (gone.length > 0) this.#stream.unwatch(gone);
    if (added.length > 0) this.#stream.watch(added);
  }

  #union() {
    const others = [...this.#needs.keys()].filter((owner) => !OWNERS.includes(owner));
    const keys = [...OWNERS, ...others].flatMap((owner) => this.#needs.get(owner) ?? []);
    return new Set([...new Set(keys)].slice(0, MAX_WATCHED));
  }
}

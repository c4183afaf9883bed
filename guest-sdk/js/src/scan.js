// Rows, read page by page from a cursor.

import { fromBase64 } from "./bytes.js";

// The first page is small, for scans that stop after a few rows; later ones grow.
const FIRST_PAGE_BYTES = 4 * 1024;
const PAGE_BYTES_MAX = 256 * 1024;

const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

/**
 * What a scan gives. It can be read once, by `for` or by the methods that iterators have
 * (`map`, `filter`, `take`, `toArray` and so on). It ends with the call that began it; when it
 * is left early, its cursor is given back.
 */
export class Rows {
  #host;
  #open;
  #take;
  #left;
  #cursor;
  #page = [];
  #index = 0;
  #pageBytes = FIRST_PAGE_BYTES;
  #isDone = false;

  /** `open` gives the cursor, `take` makes of a pair what is given out. */
  constructor(host, open, take, limit) {
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 0)) {
      throw new TypeError(`the limit of a scan is a whole number, not ${String(limit)}`);
    }
    this.#host = host;
    this.#open = open;
    this.#take = take;
    this.#left = limit ?? Infinity;
  }

  next() {
    if (this.#isDone) return { value: undefined, done: true };
    if (this.#left === 0) return this.return();
    if (this.#index === this.#page.length && !this.#turn()) return this.return();
    const pair = this.#page[this.#index];
    this.#index += 1;
    this.#left -= 1;
    return { value: this.#take(pair), done: false };
  }

  return(value) {
    this.#isDone = true;
    this.#page = [];
    this.#index = 0;
    if (this.#cursor !== undefined) this.#host.close(this.#cursor);
    this.#cursor = undefined;
    return { value, done: true };
  }

  #turn() {
    this.#cursor ??= this.#open();
    this.#page = this.#host.next(this.#cursor, this.#pageBytes);
    this.#pageBytes = Math.min(this.#pageBytes * 4, PAGE_BYTES_MAX);
    this.#index = 0;
    return this.#page.length > 0;
  }
}

Object.setPrototypeOf(Rows.prototype, IteratorPrototype);
Object.defineProperty(Rows.prototype, Symbol.dispose ?? Symbol.for("Symbol.dispose"), {
  value: function dispose() {
    this.return();
  },
});
Object.freeze(Rows.prototype);

/** A value as a page has it, where bytes are wrapped. */
export function unwrap(value) {
  const isWrapped = typeof value === "object" && value !== null && typeof value.$bytes === "string";
  return isWrapped && Object.keys(value).length === 1 ? fromBase64(value.$bytes) : value;
}

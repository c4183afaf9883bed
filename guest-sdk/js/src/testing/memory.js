// A server in memory: what the contract says of a store, and nothing of its speed. It throws
// where the server would trap.

import { compare } from "../key.js";

const KEY_BYTES_MAX = 1024;
const VALUE_BYTES_MAX = 1024 * 1024;
const EVENT_TYPE = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;
const EVENT_TYPE_BYTES_MAX = 128;
const SUBJECT_BYTES_MAX = 1024;

const encoder = new TextEncoder();

/** Who writes a table, if no projection does. */
export const COMMANDS = "commands";
export const FOREIGN = "foreign";

/** The tables of an app. A value is `{ json }` or `{ bytes }`. */
export class Tables {
  #tables = new Map();

  /** `writer` is COMMANDS, FOREIGN, or the name of a projection. */
  declare(name, writer) {
    if (!this.#tables.has(name)) this.#tables.set(name, { writer, rows: new Map(), isShared: false });
  }

  /** Gives a table that is there to a projection. */
  give(name, projection) {
    this.#table(name).writer = projection;
  }

  /** Tables that can be written without these being changed. */
  copy() {
    const copy = new Tables();
    for (const [name, table] of this.#tables) {
      table.isShared = true;
      copy.#tables.set(name, { ...table });
    }
    return copy;
  }

  /** Throws unless `hand` may see the table, or write it. A hand is COMMANDS or a projection. */
  check(name, hand, isWrite) {
    const { writer } = this.#table(name);
    if (hand === undefined || hand === writer) return;
    if (hand !== COMMANDS) {
      throw new TypeError(`table "${name}" is not among the tables of projection "${hand}"`);
    }
    if (!isWrite) return;
    throw new TypeError(
      writer === FOREIGN
        ? `table "${name}" belongs to another module: it can only be read`
        : `table "${name}" is written by projection "${writer}" alone`,
    );
  }

  get(name, key) {
    checkKey(key);
    return this.#table(name).rows.get(key);
  }

  put(name, key, value) {
    checkKey(key);
    checkValue(value);
    this.#own(name).set(key, value);
  }

  delete(name, key) {
    checkKey(key);
    this.#own(name).delete(key);
  }

  /** Keys of a range, in order. */
  keys(name, { prefix, lower, upper } = {}) {
    const isIn = (key) =>
      (prefix === undefined || key.startsWith(prefix)) &&
      (lower === undefined || compare(key, lower) >= 0) &&
      (upper === undefined || compare(key, upper) < 0);
    return [...this.#table(name).rows.keys()].filter(isIn).sort(compare);
  }

  names() {
    return [...this.#tables.keys()];
  }

  has(name) {
    return this.#tables.has(name);
  }

  #table(name) {
    const table = this.#tables.get(name);
    if (table === undefined) {
      throw new TypeError(`table "${name}" is not declared; list it under \`tables\` in app()`);
    }
    return table;
  }

  #own(name) {
    const table = this.#table(name);
    if (table.isShared) {
      table.rows = new Map(table.rows);
      table.isShared = false;
    }
    return table.rows;
  }
}

/** A scan: pages of rows, each with what was written before it was asked for. */
export class Cursor {
  #read;
  #isDescending;
  #bounds;
  #isDone = false;

  /** `read(range)` gives the keys of a range now. */
  constructor(read, bounds, isDescending) {
    this.#read = read;
    this.#bounds = { ...bounds };
    this.#isDescending = isDescending;
  }

  /** At most `n` keys, and on. */
  next(n) {
    if (this.#isDone) return [];
    const keys = this.#read(this.#bounds);
    const page = (this.#isDescending ? keys.reverse() : keys).slice(0, n);
    const last = page.at(-1);
    if (last === undefined) this.#isDone = true;
    else if (this.#isDescending) this.#bounds.upper = last;
    else this.#bounds.lower = `${last}\0`;
    return page;
  }
}

/** Throws unless it is an event that the server would take. */
export function checkEvent({ type, subject }) {
  if (typeof type !== "string" || type.length > EVENT_TYPE_BYTES_MAX || !EVENT_TYPE.test(type)) {
    throw new TypeError(
      "an event type is words of letters, digits, `-` and `_`, separated by dots, of at most " +
        `${EVENT_TYPE_BYTES_MAX} bytes: not ${JSON.stringify(type)}`,
    );
  }
  const bytes = bytesOf(subject ?? "");
  if (bytes > SUBJECT_BYTES_MAX) {
    throw new TypeError(`a subject is at most ${SUBJECT_BYTES_MAX} bytes; this has ${bytes}`);
  }
}

function checkKey(key) {
  const bytes = bytesOf(key);
  if (bytes < 1 || bytes > KEY_BYTES_MAX) {
    throw new TypeError(`a key is 1 to ${KEY_BYTES_MAX} bytes; this has ${bytes}: ${JSON.stringify(key)}`);
  }
}

function checkValue({ json, bytes }) {
  const length = json === undefined ? bytes.length : bytesOf(json);
  if (length > VALUE_BYTES_MAX) {
    throw new TypeError(`a value is at most ${VALUE_BYTES_MAX} bytes; this has ${length}`);
  }
}

function bytesOf(text) {
  return encoder.encode(text).length;
}

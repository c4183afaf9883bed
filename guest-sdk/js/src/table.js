// Tables, as handlers use them: keys and values of JavaScript outside, texts inside.

import { isBytes, toJson } from "./json.js";
import { range } from "./range.js";
import { Rows, unwrap } from "./scan.js";

/** A table. Types hide `put` and `delete` where the host refuses them. */
export class Table {
  #host;
  #name;
  #key;

  constructor(host, name, key) {
    this.#host = host;
    this.#name = name;
    this.#key = key;
  }

  /** The value of a key; `undefined` if there is none. */
  get(key) {
    return this.#host.get(this.#name, this.#encode(key));
  }

  /** Whether there is a row of this key. */
  has(key) {
    return this.get(key) !== undefined;
  }

  /** The values of many keys, in the order asked, `undefined` where there is none. */
  getMany(keys) {
    return this.#host.getMany(
      this.#name,
      Array.from(keys, (key) => this.#encode(key)),
    );
  }

  /** How many rows the range has. Reads none of them. */
  count(options) {
    const { prefix, lower, upper } = this.#range(options);
    return this.#host.count(this.#name, prefix, lower, upper);
  }

  /** Pairs of key and value, in the order of the keys. */
  scan(options) {
    return this.#rows(options, (pair) => {
      pair[0] = this.#decode(pair[0]);
      pair[1] = unwrap(pair[1]);
      return pair;
    });
  }

  /** The keys of a scan alone. */
  keys(options) {
    return this.#rows(options, (pair) => this.#decode(pair[0]));
  }

  /** The values of a scan alone. */
  values(options) {
    return this.#rows(options, (pair) => unwrap(pair[1]));
  }

  [Symbol.iterator]() {
    return this.scan();
  }

  /** Sets the value of a key: anything JSON has a form for, or a `Uint8Array`. */
  put(key, value) {
    const [name, text] = [this.#name, this.#encode(key)];
    if (isBytes(value)) return void this.#host.putBytes(name, text, value);
    const what = `the value for ${JSON.stringify(text)} of table "${name}"`;
    if (value === undefined) {
      throw new TypeError(`${what} is undefined; use delete to remove a row`);
    }
    if (typeof value === "object" && value !== null && Object.hasOwn(value, "$bytes")) {
      throw new TypeError(`${what} has a member \`$bytes\`, which stands for bytes; put a Uint8Array`);
    }
    this.#host.put(name, text, toJson(value, what));
  }

  /** Removes a row; nothing changes if there is none. */
  delete(key) {
    this.#host.delete(this.#name, this.#encode(key));
  }

  #rows(options, take) {
    const { prefix, lower, upper } = this.#range(options);
    const open = () => this.#host.scan(this.#name, prefix, lower, upper, options?.reverse === true);
    return new Rows(this.#host, open, take, options?.limit);
  }

  #range(options) {
    try {
      return range(this.#key, options);
    } catch (error) {
      throw this.#about(error);
    }
  }

  #encode(key) {
    try {
      return this.#key.encode(key);
    } catch (error) {
      throw this.#about(error);
    }
  }

  #decode(text) {
    try {
      return this.#key.decode(text);
    } catch (error) {
      const reason = error.message;
      throw new TypeError(
        `the key ${JSON.stringify(text)} of table "${this.#name}" cannot be read: ${reason}`,
      );
    }
  }

  #about(error) {
    return new TypeError(`table "${this.#name}": ${error.message}`);
  }
}

Object.freeze(Table.prototype);

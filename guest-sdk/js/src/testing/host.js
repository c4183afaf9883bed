// What the base component does for the SDK on the server, over tables in memory.

import { toBase64 } from "../bytes.js";
import { checkEvent, Cursor } from "./memory.js";

const PAGE_ROWS = 100;

/** The host of one app under test. `call` is what the current call may see and do. */
export class MemoryHost {
  #call;
  #cursors = [];

  /** Does something as a call: `{ tables, hand, sequence, timeMs, requestTimeMs, effects }`. */
  during(call, run) {
    this.#call = call;
    try {
      return run();
    } finally {
      this.#call = undefined;
      this.#cursors = [];
    }
  }

  get(table, key) {
    const value = this.#seen(table).get(table, key);
    if (value === undefined) return undefined;
    return value.json === undefined ? value.bytes.slice() : JSON.parse(value.json);
  }

  getMany(table, keys) {
    return keys.map((key) => this.get(table, key));
  }

  count(table, prefix, lower, upper) {
    return this.#seen(table).keys(table, { prefix, lower, upper }).length;
  }

  scan(table, prefix, lower, upper, isDescending) {
    const tables = this.#seen(table);
    const cursor = new Cursor((bounds) => tables.keys(table, bounds), { prefix, lower, upper }, isDescending);
    return this.#cursors.push({ table, tables, cursor }) - 1;
  }

  next(number) {
    const open = this.#cursors[number];
    if (open === undefined) throw new Error("a scan can only be read by the call that began it");
    const { table, tables, cursor } = open;
    return cursor.next(PAGE_ROWS).map((key) => {
      const { json, bytes } = tables.get(table, key);
      return [key, json === undefined ? { $bytes: toBase64(bytes) } : JSON.parse(json)];
    });
  }

  close(number) {
    this.#cursors[number] = undefined;
  }

  put(table, key, json) {
    this.#written(table).put(table, key, { json });
  }

  putBytes(table, key, bytes) {
    this.#written(table).put(table, key, { bytes: bytes.slice() });
  }

  delete(table, key) {
    this.#written(table).delete(table, key);
  }

  emit(type, subject, data) {
    const { events } = this.#effects;
    checkEvent({ type, subject });
    events.push({ type, subject, data: JSON.parse(data) });
    return this.newId();
  }

  schedule(atMs, name, input, metadata) {
    const id = this.newId();
    this.#effects.timers.set(id, { atMs, name, input: JSON.parse(input), metadata: JSON.parse(metadata) });
    return id;
  }

  cancelTimer(id) {
    const { timers, pending } = this.#effects;
    return timers.delete(id) || pending.delete(id);
  }

  newId() {
    const { effects } = this;
    effects.nIds += 1;
    return idOf(this.#call.sequence, effects.nIds);
  }

  get effects() {
    return this.#effects;
  }

  sequence() {
    return this.#current.sequence;
  }

  timeMs() {
    return this.#current.timeMs;
  }

  requestTimeMs() {
    return this.#current.requestTimeMs;
  }

  /** Nothing is waited for here. On the server an `async` handler may settle within its call. */
  drain(handler) {
    if (handler === undefined) return;
    throw new TypeError(
      `\`${handler}\` returned a promise, which this harness cannot wait for: leave out \`async\`, ` +
        "since a handler has nothing to wait for",
    );
  }

  get #current() {
    if (this.#call === undefined) throw new Error("there is no state to read outside a handler");
    return this.#call;
  }

  get #effects() {
    const { effects } = this.#current;
    if (effects === undefined) throw new Error("only a command can do this");
    return effects;
  }

  #seen(table) {
    const { tables, hand } = this.#current;
    tables.check(table, hand, false);
    return tables;
  }

  #written(table) {
    const { tables, hand, canWrite } = this.#current;
    if (!canWrite) throw new Error("only a command can do this");
    tables.check(table, hand, true);
    return tables;
  }
}

function idOf(sequence, n) {
  const hex = (value, digits) => value.toString(16).padStart(digits, "0");
  return `00000000-0000-8000-${hex(0x8000 + sequence, 4)}-${hex(n, 12)}`;
}

// The canonical ABI of the base's world, by hand: enough of a server to call the core module
// with, so that tests need neither the server nor a runtime for components.

import { Cursor } from "../../src/testing/memory.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

const STORE = "chancery:app/store@0.1.0";
const PAGE_ROWS = 50;
const LEVELS = ["trace", "debug", "info", "warn", "error"];

/** An instance of the base over a server in memory. */
export class Base {
  #exports;
  #module;
  #handles = new Map();
  #nHandles = 0;

  /** `server`: `{ tables, log, sequence, timeMs, requestTimeMs, emit, schedule, cancelTimer, newId }`. */
  constructor(module, server) {
    this.#module = module;
    this.server = server;
    this.#exports = new WebAssembly.Instance(module, this.#imports()).exports;
  }

  /** Its memory, as it is now. */
  get memory() {
    return this.#exports.memory;
  }

  /** A fresh instance that begins as this one is now: what a snapshot is on the server. */
  fork(server = this.server) {
    const fork = new Base(this.#module, server);
    const [from, to] = [this.#exports.memory, fork.#exports.memory];
    to.grow((from.buffer.byteLength - to.buffer.byteLength) >> 16);
    new Uint8Array(to.buffer).set(new Uint8Array(from.buffer));
    return fork;
  }

  prepare() {
    this.#call("chancery:script/loader@0.1.0#prepare");
  }

  load(name, source) {
    const place = this.#call("chancery:script/loader@0.1.0#load", ...this.#text(name), ...this.#text(source));
    if (this.#byte(place) === 1) return this.#failure(place + 4);
    return undefined;
  }

  describe() {
    const place = this.#call("chancery:app/manifest@0.1.0#describe");
    return JSON.parse(this.#readText(place));
  }

  adhoc(source, input = null) {
    const request = [
      ...this.#text("adhoc"),
      ...this.#text(JSON.stringify(input)),
      0,
      0,
      0,
      ...this.#text("{}"),
    ];
    return this.#result(
      this.#call("chancery:script/loader@0.1.0#adhoc", this.#open(), ...this.#text(source), ...request),
    );
  }

  query(name, input = null, caller) {
    const request = [
      ...this.#text(name),
      ...this.#text(JSON.stringify(input)),
      ...this.#optional(caller),
      ...this.#text("{}"),
    ];
    return this.#result(this.#call("chancery:app/queries@0.1.0#query", this.#open(), ...request));
  }

  execute(
    name,
    input = null,
    {
      id = "018bcfe5-6800-7000-8000-000000000001",
      sequence = 1,
      timeMs = 1_700_000_000_000,
      basis,
      caller,
    } = {},
  ) {
    const record = this.#record(8, 120);
    record.u32(0, this.#open());
    record.text(8, id).text(16, name).text(24, JSON.stringify(input));
    record.u64(32, sequence).u64(40, timeMs);
    record.optionalU64(48, undefined).optionalU64(64, basis);
    record.optional(80, caller).text(92, id).optional(100, undefined).text(112, "{}");
    return this.#result(this.#call("chancery:app/commands@0.1.0#execute", record.place));
  }

  project(name, event) {
    const place = this.#call("chancery:app/projections@0.1.0#project", this.#event(name, event));
    return this.#byte(place) === 1 ? this.#failure(place + 4) : undefined;
  }

  react(name, event) {
    const place = this.#call("chancery:app/reactions@0.1.0#react", this.#event(name, event));
    if (this.#byte(place) === 1) return this.#failure(place + 4);
    const commands = [];
    const [list, n] = [this.#word(place + 4), this.#word(place + 8)];
    for (let at = list; at < list + n * 24; at += 24) {
      commands.push({
        name: this.#readText(at),
        input: JSON.parse(this.#readText(at + 8)),
        metadata: JSON.parse(this.#readText(at + 16)),
      });
    }
    return { ok: commands };
  }

  #event(
    name,
    {
      type,
      subject,
      data = null,
      position = 1,
      id = "018bcfe5-6800-5000-8000-000000000001",
      timeMs = 1_700_000_000_000,
    },
  ) {
    const record = this.#record(8, 128);
    record.u32(0, this.#open()).text(4, name);
    record.u64(16, position).text(24, id).text(32, type).optional(40, subject);
    record.u64(56, timeMs).text(64, JSON.stringify(data)).u64(72, 1);
    record.text(80, id).text(88, id).optional(96, undefined).text(108, "").text(116, "{}");
    return record.place;
  }

  #call(name, ...given) {
    this.#handles.clear();
    return this.#exports[name](...given);
  }

  #result(place) {
    if (this.#byte(place) === 1) return this.#failure(place + 4);
    const [at, length] = [this.#word(place + 8), this.#word(place + 12)];
    if (this.#byte(place + 4) === 0) return { ok: JSON.parse(this.#read(at, length)) };
    return { ok: this.#bytes(at, length) };
  }

  #failure(place) {
    const hasDetails = this.#byte(place + 16) === 1;
    const events = [];
    const [list, n] = [this.#word(place + 28), this.#word(place + 32)];
    for (let at = list; at < list + n * 28; at += 28) {
      const subject = this.#byte(at + 8) === 1 ? this.#readText(at + 12) : undefined;
      events.push({ type: this.#readText(at), subject, data: JSON.parse(this.#readText(at + 20)) });
    }
    return {
      code: this.#readText(place),
      message: this.#readText(place + 8),
      details: hasDetails ? JSON.parse(this.#readText(place + 20)) : undefined,
      events,
    };
  }

  #open() {
    this.#nHandles += 1;
    return this.#nHandles;
  }

  // Reading and writing the instance's memory.

  get #view() {
    return new DataView(this.#exports.memory.buffer);
  }

  #byte(place) {
    return this.#view.getUint8(place);
  }

  #word(place) {
    return this.#view.getUint32(place, true);
  }

  #bytes(place, length) {
    return new Uint8Array(this.#exports.memory.buffer, place, length).slice();
  }

  #read(place, length) {
    return decoder.decode(this.#bytes(place, length));
  }

  #readText(place) {
    return this.#read(this.#word(place), this.#word(place + 4));
  }

  #write(bytes, align = 1) {
    if (bytes.length === 0) return [align, 0];
    const place = this.#exports.cabi_realloc(0, 0, align, bytes.length) >>> 0;
    new Uint8Array(this.#exports.memory.buffer).set(bytes, place);
    return [place, bytes.length];
  }

  #text(text) {
    return this.#write(encoder.encode(text));
  }

  #optional(text) {
    return text === undefined ? [0, 0, 0] : [1, ...this.#text(text)];
  }

  #record(align, bytes) {
    const [place] = this.#write(new Uint8Array(bytes), align);
    const record = {
      place,
      u32: (at, value) => (this.#view.setUint32(place + at, value, true), record),
      u64: (at, value) => (this.#view.setBigUint64(place + at, BigInt(value), true), record),
      text: (at, text) => {
        const [start, length] = this.#text(text);
        return record.u32(at, start).u32(at + 4, length);
      },
      optional: (at, text) => (text === undefined ? record.u32(at, 0) : record.u32(at, 1).text(at + 4, text)),
      optionalU64: (at, value) =>
        value === undefined ? record.u32(at, 0) : record.u32(at, 1).u64(at + 8, value),
    };
    return record;
  }

  // What the module imports.

  #imports() {
    const store = {};
    for (const resource of ["snapshot", "transaction", "view", "cursor"]) {
      store[`[resource-drop]${resource}`] = (handle) => void this.#handles.delete(handle);
    }
    for (const [name, method] of Object.entries(this.#methods())) {
      for (const resource of ["snapshot", "transaction", "view", "cursor"])
        store[`[method]${resource}.${name}`] = method;
    }
    const write = (level, place, length) =>
      void this.server.log.push([LEVELS[level], this.#read(place, length)]);
    return { [STORE]: store, "chancery:app/log@0.1.0": { write } };
  }

  #methods() {
    const { server } = this;
    const read = (place, length) => this.#read(place, length);
    const give = (place, text) => {
      const [start, length] = this.#text(text);
      this.#view.setUint32(place, start, true);
      this.#view.setUint32(place + 4, length, true);
    };
    const giveValue = (place, value) => {
      this.#view.setUint8(place, value === undefined ? 0 : 1);
      if (value === undefined) return;
      const [start, length] = value.json === undefined ? this.#write(value.bytes) : this.#text(value.json);
      this.#view.setUint8(place + 4, value.json === undefined ? 1 : 0);
      this.#view.setUint32(place + 8, start, true);
      this.#view.setUint32(place + 12, length, true);
    };
    const range = (kind, ...flat) => {
      if (kind === 0) return {};
      if (kind === 1) return { prefix: read(flat[0], flat[1]) };
      const bound = (index) => (flat[index] === 0 ? undefined : read(flat[index + 1], flat[index + 2]));
      return { lower: bound(0), upper: bound(3) };
    };
    return {
      sequence: () => BigInt(server.sequence ?? 1),
      "time-ms": () => BigInt(server.timeMs ?? 0),
      "request-time-ms": () => {
        server.wasAskedForTime = true;
        return BigInt(server.requestTimeMs ?? 0);
      },
      get: (_, table, tableLength, key, keyLength, place) =>
        giveValue(place, server.tables.get(read(table, tableLength), read(key, keyLength))),
      "get-many": (_, table, tableLength, keys, n, place) => {
        const name = read(table, tableLength);
        const [list] = this.#write(new Uint8Array(n * 16), 4);
        for (let index = 0; index < n; index += 1)
          giveValue(list + index * 16, server.tables.get(name, this.#readText(keys + index * 8)));
        this.#view.setUint32(place, list, true);
        this.#view.setUint32(place + 4, n, true);
      },
      count: (_, table, tableLength, ...flat) =>
        BigInt(server.tables.keys(read(table, tableLength), range(...flat)).length),
      scan: (_, table, tableLength, ...flat) => {
        const [name, covered, order] = [read(table, tableLength), range(...flat.slice(0, 7)), flat[7]];
        const handle = this.#open();
        const keys = (bounds) => server.tables.keys(name, bounds);
        this.#handles.set(handle, { name, cursor: new Cursor(keys, covered, order === 1) });
        return handle;
      },
      "next-json": (handle, bytesMax, place) => {
        const { name, cursor } = this.#handles.get(handle);
        const rows = cursor.next(PAGE_ROWS).map((key) => {
          const value = server.tables.get(name, key);
          const json = value.json ?? JSON.stringify({ $bytes: Buffer.from(value.bytes).toString("base64") });
          return `[${JSON.stringify(key)},${json}]`;
        });
        give(place, `[${rows.join(",")}]`);
      },
      put: (_, table, tableLength, key, keyLength, kind, place, length) => {
        const value = kind === 0 ? { json: read(place, length) } : { bytes: this.#bytes(place, length) };
        server.tables.put(read(table, tableLength), read(key, keyLength), value);
      },
      delete: (_, table, tableLength, key, keyLength) =>
        server.tables.delete(read(table, tableLength), read(key, keyLength)),
      emit: (_, type, typeLength, hasSubject, subject, subjectLength, data, dataLength, place) => {
        server.events.push({
          type: read(type, typeLength),
          subject: hasSubject ? read(subject, subjectLength) : undefined,
          data: JSON.parse(read(data, dataLength)),
        });
        give(place, `event-${server.events.length}`);
      },
      schedule: (_, atMs, name, nameLength, input, inputLength, metadata, metadataLength, place) => {
        server.timers.push({
          atMs: Number(atMs),
          name: read(name, nameLength),
          input: JSON.parse(read(input, inputLength)),
          metadata: JSON.parse(read(metadata, metadataLength)),
        });
        give(place, `timer-${server.timers.length}`);
      },
      "cancel-timer": (_, id, length) => (read(id, length) === "timer-1" ? 1 : 0),
      "new-id": (_, place) => give(place, `id-${(server.nIds = (server.nIds ?? 0) + 1)}`),
    };
  }
}

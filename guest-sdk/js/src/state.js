// What handlers are given: `state`, `tx` and `view`, made once for an app and the host that
// holds the state of the current call.

import { toJson } from "./json.js";
import { Key } from "./key.js";
import { kebab } from "./names.js";
import { Table } from "./table.js";

/** Names that handlers find in `state`, `tx` or `view` already, so that no table has them. */
export const TAKEN = Object.freeze([
  "table",
  "sequence",
  "time",
  "timeMs",
  "requestTime",
  "requestTimeMs",
  "request",
  "caller",
  "command",
  "newId",
  "emit",
  "schedule",
  "cancelTimer",
]);

/** Tables by name. */
class Tables {
  #host;

  constructor(host, tables) {
    this.#host = host;
    for (const [property, { name, key }] of tables) {
      Object.defineProperty(this, property, { value: new Table(host, name, key), enumerable: true });
    }
  }

  /** A table by the server's name for it: one of another module, or one of this. */
  table(name, { key } = {}) {
    return new Table(this.#host, name, new Key(key));
  }
}

/** The state that a query or a reaction looks at. */
export class State extends Tables {
  #host;
  #call;

  constructor(host, call, tables) {
    super(host, tables);
    this.#host = host;
    this.#call = call;
    Object.freeze(this);
  }

  /** The last entry of the log that this state includes. */
  get sequence() {
    return this.#host.sequence();
  }

  /** The time of that entry. */
  get time() {
    return new Date(this.#host.timeMs());
  }

  /** As `time`, in milliseconds since 1970. */
  get timeMs() {
    return this.#host.timeMs();
  }

  /** The time of the request: an answer that asks for it cannot be kept by a cache. */
  get requestTime() {
    return new Date(this.#host.requestTimeMs());
  }

  /** As `requestTime`, in milliseconds since 1970. */
  get requestTimeMs() {
    return this.#host.requestTimeMs();
  }

  /** Of a query: `{ name, caller, metadata }`. */
  get request() {
    return this.#call.current;
  }

  /** Who asks, as `{ subject, claims }`; `undefined` where nobody is asked who they are. */
  get caller() {
    return this.#call.current?.caller;
  }
}

/** What a command reads, and stages to be kept together or not at all. */
export class Transaction extends Tables {
  #host;
  #call;

  constructor(host, call, tables) {
    super(host, tables);
    this.#host = host;
    this.#call = call;
    Object.freeze(this);
  }

  /** The sequence of this command. */
  get sequence() {
    return this.#call.current.sequence;
  }

  /** When it was accepted. */
  get time() {
    return new Date(this.#call.current.timeMs);
  }

  /** As `time`, in milliseconds since 1970. */
  get timeMs() {
    return this.#call.current.timeMs;
  }

  /** Who submitted it, as `{ subject, claims }`; `undefined` where nobody is asked. */
  get caller() {
    return this.#call.current.caller;
  }

  /** The command: id, name, caller, where it comes from. */
  get command() {
    return this.#call.current;
  }

  /** A new UUID, the same whenever this command is executed. */
  newId() {
    return this.#host.newId();
  }

  /** Records that something happened, and returns the event's id. */
  emit(type, { subject, data } = {}) {
    return this.#host.emit(type, subject ?? undefined, toJson(data, `the data of the event "${type}"`));
  }

  /** Has a command submitted at a time, and returns the timer's id. */
  schedule(at, name, input, metadata) {
    const ms = at instanceof Date ? at.getTime() : at;
    if (typeof ms !== "number" || !(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) {
      throw new TypeError(`the time of a timer is a Date or milliseconds since 1970, not ${String(at)}`);
    }
    const command = newCommand({ name, input, metadata });
    return this.#host.schedule(Math.trunc(ms), command.name, command.input, command.metadata);
  }

  /** Takes back a timer that has not fired; false if there is none. */
  cancelTimer(id) {
    return this.#host.cancelTimer(id);
  }
}

/** The tables of a projection. */
export class View extends Tables {
  constructor(host, tables) {
    super(host, tables);
    Object.freeze(this);
  }
}

/** A command to be submitted, as the server takes it. */
export function newCommand({ name, input, metadata = {} }) {
  if (typeof name !== "string") throw new TypeError(`a command has a name, not ${String(name)}`);
  return {
    name: kebab(name),
    input: input === undefined ? "{}" : toJson(input, `the input of the command "${name}"`),
    metadata: toJson(metadata, `the metadata of the command "${name}"`),
  };
}

for (const { prototype } of [Tables, State, Transaction, View]) Object.freeze(prototype);

// The state before a command.

import { bind } from "../calls.js";
import { toJson } from "../json.js";
import { manifest } from "../manifest.js";
import { kebab } from "../names.js";
import { Rejection } from "../reject.js";
import { Key } from "../key.js";
import { at } from "./clock.js";
import { MemoryHost } from "./host.js";
import { checkEvent, COMMANDS, FOREIGN, Tables } from "./memory.js";
import { Outcome } from "./outcome.js";
import { matches } from "./pattern.js";

// When the first command is accepted, unless a test says otherwise.
const FIRST_TIME_MS = 1_700_000_000_000;

// Commands that follow from one another before a test is given up.
const COMMANDS_MAX = 1_000;

/** The state of an app, and what the next command will be told. Each method gives another. */
export class Given {
  #app;
  #state;

  constructor(app, state) {
    this.#app = app;
    this.#state = state;
  }

  static of(definition) {
    const tables = new Tables();
    for (const { name } of definition.tables.values()) tables.declare(name, COMMANDS);
    for (const [name, projection] of definition.projections) {
      for (const table of projection.tables) tables.give(table, name);
    }
    const host = new MemoryHost();
    const app = { definition, host, handlers: bind(definition, host) };
    return new Given(app, {
      tables,
      sequence: 0,
      timeMs: FIRST_TIME_MS,
      caller: undefined,
      basis: undefined,
      timers: new Map(),
      nEvents: 0,
      // Events that reactions have not been asked about.
      ahead: [],
    });
  }

  /** With this row. */
  row(table, key, value) {
    const tables = this.#state.tables.copy();
    tables.put(...this.encode(table, key), encodeValue(value));
    return this.#with({ tables });
  }

  /** With this row in a table of another module, which the app may read. `key` is the key's type. */
  foreignRow(table, key, value, { key: type } = {}) {
    const tables = this.#state.tables.copy();
    tables.declare(table, FOREIGN);
    tables.put(table, new Key(type).encode(key), encodeValue(value));
    return this.#with({ tables });
  }

  /** With this event on record: projections have it, reactions are not asked about it any more. */
  event(event) {
    checkEvent(event);
    const next = this.#next();
    next.#record([event]);
    return next.#with({ ahead: [] });
  }

  /** At this time: a Date, or milliseconds since 1970. */
  at(time) {
    return this.#with({ timeMs: Number(time) });
  }

  /** With commands and queries from this caller: `{ subject, claims }`. */
  caller(caller) {
    return this.#with({ caller: clone(caller) });
  }

  /** With commands whose sender looked at this sequence. */
  basis(basis) {
    return this.#with({ basis });
  }

  /** Executes a command. Throws what the handler throws, unless it rejects. */
  when(name, input = {}) {
    const next = this.#next();
    const before = this.#state.tables;
    const { sequence, timeMs, timers } = next.#state;
    const effects = { events: [], timers: new Map(), pending: new Map(timers), nIds: 0 };
    const tables = before.copy();
    let ended;
    try {
      const command = next.#command(kebab(name));
      const call = { tables, hand: COMMANDS, canWrite: true, sequence, timeMs, effects };
      const value = next.#run(call, command.id, () => this.#app.handlers.execute(command, clone(input)));
      ended = { value: jsonOf(value, `the result of command "${name}"`) };
      next.#state.tables = tables;
      next.#state.timers = new Map([...effects.pending, ...effects.timers]);
    } catch (thrown) {
      if (!Rejection.is(thrown)) throw thrown;
      ended = { rejection: thrown };
      thrown.events.forEach(checkEvent);
      effects.events = thrown.events.map(clone);
      effects.timers = new Map();
    }
    const recorded = next.#record(effects.events);
    next.#state.timeMs += 1;
    return new Outcome(next, before, ended, effects, recorded);
  }

  /** Has an event happen, by a command of whatever module. */
  whenEvent(event) {
    checkEvent(event);
    const next = this.#next();
    const recorded = next.#record([event]);
    next.#state.timeMs += 1;
    const effects = { events: [clone(event)], timers: new Map() };
    return new Outcome(next, this.#state.tables, { value: null }, effects, recorded);
  }

  /** Asks a query. Throws the `Rejection` if it refuses. */
  query(name, input = {}) {
    const { tables, sequence, timeMs, caller } = this.#state;
    const known = kebab(name);
    const request = { name: known, caller, metadata: {} };
    const call = { tables, hand: COMMANDS, sequence, timeMs, requestTimeMs: timeMs };
    const seed = `${sequence} ${known} ${toJson(input)}`;
    const answer = this.#run(call, seed, () => this.#app.handlers.query(request, clone(input)));
    return jsonOf(answer, `the result of query "${name}"`);
  }

  /** All that follows from what happened: the commands of reactions, and of theirs. */
  follow() {
    let given = this;
    for (let nCommands = 0; given.#state.ahead.length > 0;) {
      const [event, ...ahead] = given.#state.ahead;
      given = given.#with({ ahead });
      for (const { name, input } of given.commandsAfter(event)) {
        nCommands += 1;
        if (nCommands > COMMANDS_MAX) throw new Error(`more than ${COMMANDS_MAX} commands follow`);
        given = given.when(name, input).given();
      }
    }
    return given;
  }

  /** Lets this much time pass, in milliseconds, with all that follows: timers fire as they are due. */
  wait(ms) {
    const untilMs = this.#state.timeMs + ms;
    let given = this.follow();
    for (;;) {
      const due = [...given.#state.timers].filter(([, { atMs }]) => atMs <= untilMs);
      if (due.length === 0) break;
      const [id, { atMs, name, input }] = due.reduce((one, other) =>
        other[1].atMs < one[1].atMs ? other : one,
      );
      const timers = new Map(given.#state.timers);
      timers.delete(id);
      given = given.#with({ timers, timeMs: Math.max(given.#state.timeMs, atMs) });
      given = given.when(name, input).follow();
    }
    return given.#with({ timeMs: Math.max(given.#state.timeMs, untilMs) });
  }

  /** The commands that wait for their time: `{ atMs, name, input, metadata }`, the earliest first. */
  pending() {
    return [...this.#state.timers.values()].sort((one, other) => one.atMs - other.atMs);
  }

  /** The value of a row; `undefined` if there is none. */
  get(table, key) {
    const value = this.#state.tables.get(...this.encode(table, key));
    if (value === undefined) return undefined;
    return value.json === undefined ? value.bytes : JSON.parse(value.json);
  }

  /** The rows of a table in the order of their keys, as pairs. */
  rows(table) {
    const { name, key } = this.#table(table);
    return this.#state.tables.keys(name).map((text) => {
      const decoded = key.decode(text);
      return [decoded, this.get(table, decoded)];
    });
  }

  /** The manifest that the server would be given. */
  manifest() {
    return JSON.parse(toJson(manifest(this.#app.definition), "the manifest"));
  }

  // For outcomes.

  get tables() {
    return this.#state.tables;
  }

  /** The server's names for a table and a key. */
  encode(table, key) {
    const { name, key: type } = this.#table(table);
    return [name, type.encode(key)];
  }

  /** What the reactions make of an event: `{ reaction, commands }` or `{ reaction, rejection }`. */
  reactionsTo(event) {
    const asked = [];
    for (const [reaction, { on }] of this.#app.definition.reactions) {
      if (!on.some((pattern) => matches(pattern, event.type))) continue;
      const { tables, sequence, timeMs } = this.#state;
      const call = { tables, hand: COMMANDS, sequence, timeMs, requestTimeMs: event.timeMs };
      try {
        const commands = this.#run(
          call,
          `${event.id} ${reaction}`,
          () => this.#app.handlers.react(reaction, copyOf(event)),
          event.timeMs,
        );
        const parse = ({ name, input, metadata }) => ({
          name,
          input: JSON.parse(input),
          metadata: JSON.parse(metadata),
        });
        asked.push({ reaction, commands: commands.map(parse) });
      } catch (thrown) {
        if (!Rejection.is(thrown)) throw thrown;
        asked.push({ reaction, rejection: thrown });
      }
    }
    return asked;
  }

  /** The commands that follow from an event. */
  commandsAfter(event) {
    return this.reactionsTo(event).flatMap(({ reaction, commands, rejection }) => {
      if (rejection === undefined) return commands;
      throw new Error(
        `reaction "${reaction}" refuses "${event.type}": ${rejection.code}: ${rejection.message}`,
      );
    });
  }

  #run(call, seed, run, timeMs = call.requestTimeMs ?? call.timeMs) {
    const { host } = this.#app;
    const newId = call.effects && (() => host.newId());
    return host.during(call, () => at(timeMs, seed, newId, run));
  }

  /** Puts events on record and into the tables of the projections. This is no copy. */
  #record(events) {
    return events.map((event, index) => {
      const state = this.#state;
      state.nEvents += 1;
      const recorded = this.#stored(index, event);
      for (const [name, { on }] of this.#app.definition.projections) {
        if (on.some((pattern) => matches(pattern, event.type))) this.#project(name, recorded);
      }
      state.ahead = [...state.ahead, recorded];
      return recorded;
    });
  }

  #project(name, event) {
    const tables = this.#state.tables.copy();
    const call = { tables, hand: name, canWrite: true };
    try {
      this.#run(
        call,
        `${event.id} ${name}`,
        () => this.#app.handlers.project(name, copyOf(event)),
        event.timeMs,
      );
    } catch (error) {
      const reason = Rejection.is(error) ? `${error.code}: ${error.message}` : String(error);
      throw new Error(`projection "${name}" would be parked at "${event.type}": ${reason}`, { cause: error });
    }
    this.#state.tables = tables;
  }

  #stored(index, { type, subject, data = null }) {
    const { sequence, timeMs, nEvents } = this.#state;
    const commandId = commandIdOf(sequence);
    return {
      position: nEvents,
      id: `018bcfe5-6800-5000-8${hex(index, 3)}-${hex(sequence, 12)}`,
      type,
      subject,
      time: new Date(timeMs),
      timeMs,
      data: clone(data),
      sequence,
      commandId,
      correlationId: commandId,
      causationId: undefined,
      moduleHash: "",
      metadata: { module: null, depth: 0, erased: false },
    };
  }

  #command(name) {
    const { sequence, timeMs, caller, basis } = this.#state;
    const id = commandIdOf(sequence);
    return {
      id,
      name,
      sequence,
      timeMs,
      scheduledFor: undefined,
      basis,
      caller,
      correlationId: id,
      causationId: undefined,
      metadata: {},
    };
  }

  #table(named) {
    const { tables } = this.#app.definition;
    const table = tables.get(named) ?? [...tables.values()].find(({ name }) => name === named);
    if (table === undefined)
      throw new TypeError(`the app has no table "${named}"; it has ${[...tables.keys()].join(", ")}`);
    return table;
  }

  /** The state in which the next command is executed. */
  #next() {
    return this.#with({ sequence: this.#state.sequence + 1 });
  }

  #with(changes) {
    return new Given(this.#app, { ...this.#state, ...changes });
  }
}

function encodeValue(value) {
  return value instanceof Uint8Array ? { bytes: value.slice() } : { json: toJson(value, "the value") };
}

function jsonOf(value, what) {
  return value instanceof Uint8Array ? value : JSON.parse(toJson(value, what));
}

/** Through JSON, as everything that reaches a handler. */
function clone(value) {
  return value === undefined ? undefined : JSON.parse(toJson(value, "what a test gives"));
}

/** An event, as one handler is given it. */
function copyOf(event) {
  return { ...event, data: clone(event.data), time: new Date(event.timeMs) };
}

function commandIdOf(sequence) {
  return `018bcfe5-6800-7000-8000-${hex(sequence, 12)}`;
}

function hex(value, digits) {
  return value.toString(16).padStart(digits, "0");
}

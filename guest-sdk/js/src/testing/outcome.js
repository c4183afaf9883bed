// The state after a command, and what became of it.

import assert from "node:assert/strict";

/**
 * What a command gave. Each `then…` checks one thing and hands the outcome on; `when` goes on
 * from the state it left.
 */
export class Outcome {
  #after;
  #before;
  #ended;
  #effects;
  #recorded;

  constructor(after, before, ended, effects, recorded) {
    this.#after = after;
    this.#before = before;
    this.#ended = ended;
    this.#effects = effects;
    this.#recorded = recorded;
  }

  /** It succeeded, with this result if one is given. */
  thenOk(...expected) {
    const result = this.result;
    if (expected.length > 0) assert.deepEqual(result, expected[0], "another result");
    return this;
  }

  /** It was rejected with this code. */
  thenRejected(code) {
    const { rejection } = this.#ended;
    assert.ok(rejection, `it succeeded instead of being rejected as "${code}"`);
    assert.equal(rejection.code, code, rejection.message);
    return this;
  }

  /** It was rejected with these details. */
  thenDetails(expected) {
    const { rejection } = this.#ended;
    assert.ok(rejection, "it succeeded instead of being rejected");
    assert.deepEqual(rejection.details, expected, "other details");
    return this;
  }

  /** The table holds this row now. */
  thenRow(table, key, expected) {
    const found = this.#after.get(table, key);
    assert.deepEqual(
      found,
      expected,
      `${JSON.stringify(key)} of "${table}" is ${JSON.stringify(found) ?? "not there"}`,
    );
    return this;
  }

  /** The table has no row of this key now. */
  thenNoRow(table, key) {
    assert.equal(this.#after.get(table, key), undefined, `"${table}" has ${JSON.stringify(key)}`);
    return this;
  }

  /** It emitted an event of this type, with these data if some are given, perhaps among others. */
  thenEvent(type, ...data) {
    const ofType = this.events.filter((event) => event.type === type);
    const shown = JSON.stringify(this.events);
    assert.ok(ofType.length > 0, `no "${type}" among ${shown}`);
    if (data.length === 0) return this;
    if (ofType.length === 1) assert.deepEqual(ofType[0].data, data[0], `other data of "${type}"`);
    else
      assert.ok(
        ofType.some((event) => isSame(event.data, data[0])),
        `no "${type}" with these data among ${shown}`,
      );
    return this;
  }

  /** It emitted no event. */
  thenNoEvent() {
    assert.deepEqual(this.events, [], "it emitted events");
    return this;
  }

  /** A reaction to its events wants this command submitted, perhaps among others. */
  thenCommand(name, input) {
    const { commands } = this;
    const found = commands.some((command) => command.name === name && isSame(command.input, input));
    assert.ok(found, `no "${name}" with ${JSON.stringify(input)} among ${JSON.stringify(commands)}`);
    return this;
  }

  /** No reaction to its events wants a command submitted. */
  thenNoCommand() {
    assert.deepEqual(this.commands, [], "commands follow");
    return this;
  }

  /** A reaction to its events refuses with this code. */
  thenReactionRefuses(code) {
    const found = this.reactions.some(({ rejection }) => rejection?.code === code);
    assert.ok(found, `no reaction refuses as "${code}"`);
    return this;
  }

  /** No row of any table is different from before. */
  thenUnchanged() {
    assert.deepEqual(this.changes, [], "rows changed");
    return this;
  }

  /** A query gives this answer now. */
  thenQuery(name, input, expected) {
    assert.deepEqual(this.#after.query(name, input), expected, `another answer of "${name}"`);
    return this;
  }

  /** Goes on with another command. */
  when(name, input) {
    return this.#after.when(name, input);
  }

  /** Goes on with an event. */
  whenEvent(event) {
    return this.#after.whenEvent(event);
  }

  /** Goes on with all that follows. */
  follow() {
    return this.#after.follow();
  }

  /** The state it left, to go on from. */
  given() {
    return this.#after;
  }

  /** What the handler returned. Throws the `Rejection` if it was rejected. */
  get result() {
    if (this.#ended.rejection !== undefined) throw this.#ended.rejection;
    return this.#ended.value;
  }

  /** Why it was rejected; `undefined` if it succeeded. */
  get rejection() {
    return this.#ended.rejection;
  }

  /** The events it emitted, or those of its rejection: `{ type, subject, data }`. */
  get events() {
    return this.#effects.events;
  }

  /** The commands it scheduled: `{ atMs, name, input, metadata }`. */
  get timers() {
    return [...this.#effects.timers.values()];
  }

  /** The commands that reactions to its events want submitted, in order. */
  get commands() {
    return this.#recorded.flatMap((event) => this.#after.commandsAfter(event));
  }

  /** What each reaction to its events gives. */
  get reactions() {
    return this.#recorded.flatMap((event) => this.#after.reactionsTo(event));
  }

  /** The rows it changed: `{ table, key, value }` with the server's key and the value now. */
  get changes() {
    const [before, after] = [this.#before, this.#after.tables];
    return after.names().flatMap((table) => {
      const old = before.has(table) ? before.keys(table) : [];
      const keys = new Set([...old, ...after.keys(table)]);
      const was = (key) => (before.has(table) ? before.get(table, key) : undefined);
      const changed = [...keys].filter((key) => !isSame(was(key), after.get(table, key)));
      return changed.map((key) => ({ table, key, value: valueOf(after.get(table, key)) }));
    });
  }
}

function valueOf(stored) {
  if (stored === undefined) return undefined;
  return stored.json === undefined ? stored.bytes : JSON.parse(stored.json);
}

function isSame(one, other) {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch {
    return false;
  }
}

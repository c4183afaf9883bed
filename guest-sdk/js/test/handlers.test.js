// What handlers are given does what the contract says, in memory.

import assert from "node:assert/strict";
import { test } from "node:test";

import { app, reject } from "../src/index.js";
import { given } from "../src/testing/index.js";

/** An app whose one command runs a function. */
function running(run, more = {}) {
  return given(
    app({
      tables: { rows: { key: ["text", "integer"] }, notes: {}, ids: { key: "integer" } },
      commands: { run },
      ...more,
    }),
  );
}

const five = [
  ["a", 1],
  ["a", 2],
  ["a", 12],
  ["b", 1],
  ["c", -3],
];

function rows(options) {
  let state = running((tx) => tx.rows.keys(options).toArray());
  for (const key of five) state = state.row("rows", key, key[1]);
  return state.when("run").result;
}

test("scans cover what their options say", () => {
  assert.deepEqual(rows(), five);
  assert.deepEqual(rows({ prefix: ["a"] }), five.slice(0, 3));
  assert.deepEqual(rows({ prefix: ["a"], reverse: true, limit: 2 }), [
    ["a", 12],
    ["a", 2],
  ]);
  assert.deepEqual(rows({ from: ["a", 2] }), five.slice(1));
  assert.deepEqual(rows({ after: ["a", 2] }), five.slice(2));
  assert.deepEqual(rows({ to: ["a", 12] }), five.slice(0, 2));
  assert.deepEqual(rows({ through: ["a", 12] }), five.slice(0, 3));
  assert.deepEqual(rows({ prefix: ["a"], after: ["a", 1], to: ["b", 1] }), five.slice(1, 3));
  assert.deepEqual(rows({ from: ["b"] }), five.slice(3));
  assert.deepEqual(rows({ after: ["a"], through: ["b"] }), [["b", 1]]);
  assert.deepEqual(rows({ prefix: ["x"] }), []);
  assert.deepEqual(rows({ limit: 0 }), []);
  assert.throws(
    () => rows({ prefix: "a" }),
    /table "rows": a key \[text, integer\] is an array of some first components, not "a"/,
  );
  assert.throws(() => rows({ frm: ["a"] }), /a scan has no option `frm`/);
  assert.throws(() => rows({ from: ["a"], after: ["a"] }), /`from` or `after`, not both/);
  assert.throws(() => rows({ limit: -1 }), /the limit of a scan is a whole number, not -1/);
});

test("rows are read one by one, many at once, and counted", () => {
  const read = running((tx) => [
    tx.notes.get("x"),
    tx.notes.has("x"),
    tx.notes.has("none"),
    tx.notes.getMany(["none", "x"]).map((value) => value ?? null),
    tx.notes.count(),
    tx.notes.count({ prefix: "y" }),
    [...tx.notes],
    tx.notes.values({ reverse: true }).take(1).toArray(),
  ]);
  read
    .row("notes", "x", { n: 1 })
    .row("notes", "y", null)
    .when("run")
    .thenOk([
      { n: 1 },
      true,
      false,
      [null, { n: 1 }],
      2,
      1,
      [
        ["x", { n: 1 }],
        ["y", null],
      ],
      [null],
    ]);
});

test("bytes stay bytes", () => {
  const written = running((tx) => {
    tx.notes.put("b", new Uint8Array([0, 255]));
    const [[, scanned]] = tx.notes.scan();
    return [tx.notes.get("b") instanceof Uint8Array, [...scanned]];
  });
  written
    .when("run")
    .thenOk([true, [0, 255]])
    .thenRow("notes", "b", new Uint8Array([0, 255]));
});

test("more rows than a page has", () => {
  const many = running((tx) => {
    for (let n = 0; n < 1000; n += 1) tx.ids.put(n * 7, n);
    tx.ids.delete(7);
    return [tx.ids.count(), [...tx.ids.values()].length, tx.ids.keys({ reverse: true, limit: 2 }).toArray()];
  });
  many.when("run").thenOk([999, 999, [6993, 6986]]);
});

test("what cannot be written says so", () => {
  const cyclic = { list: [1] };
  cyclic.list.push({ cyclic });
  const refusals = [
    [
      { a: [1n] },
      /the value for "k" of table "notes" cannot be written as JSON: `a\[0\]` is a BigInt; write it as a text/,
    ],
    [cyclic, /`list\[1\]\.cyclic` is an object that contains itself/],
    [() => 1, /it is a function/],
    [undefined, /is undefined; use delete/],
    [{ $bytes: "x" }, /has a member `\$bytes`/],
  ];
  for (const [value, message] of refusals) {
    assert.throws(() => running((tx) => tx.notes.put("k", value)).when("run"), message);
  }
  const long = running((tx) => tx.notes.put("k".repeat(1025), 1));
  assert.throws(() => long.when("run"), /a key is 1 to 1024 bytes; this has 1025/);
});

test("a query cannot write, nor a command what is a projection's", () => {
  const state = running((tx) => tx.notes.put("a", 1), {
    queries: { write: (state) => state.notes.put("a", 1), emit: (state) => state.emit },
    projections: {
      notes: {
        on: "note.*",
        tables: ["notes"],
        project: (view, event) => view.notes.put(event.subject, event.data),
      },
    },
  });
  assert.throws(() => state.query("write"), /only a command can do this/);
  assert.equal(state.query("emit"), null);
  assert.throws(() => state.when("run"), /table "notes" is written by projection "notes" alone/);
  state.whenEvent({ type: "note.written", subject: "n", data: 5 }).thenRow("notes", "n", 5);
});

test("tables of other modules can be read", () => {
  const key = ["text", "integer"];
  const state = running((tx, { write }) => {
    const table = tx.table("others", { key });
    if (write) table.put(["a", 1], 2);
    return table.get(["a", 1]);
  }).foreignRow("others", ["a", 1], { b: 2 }, { key });
  state.when("run").thenOk({ b: 2 }).thenUnchanged();
  assert.throws(() => state.when("run", { write: true }), /belongs to another module/);
});

test("a rejected command keeps nothing but the events of its rejection", () => {
  const state = running((tx) => {
    tx.notes.put("a", 1);
    tx.emit("never.mind");
    tx.schedule(tx.timeMs, "run");
    reject(
      "no-way",
      "There is no way.",
      { a: 1 },
      { events: [{ type: "way.missed", subject: "x", data: 1 }] },
    );
  });
  const outcome = state
    .when("run")
    .thenRejected("no-way")
    .thenDetails({ a: 1 })
    .thenUnchanged()
    .thenEvent("way.missed", 1);
  assert.equal(outcome.events.length, 1);
  assert.deepEqual(outcome.given().pending(), []);
  assert.throws(() => outcome.result, { name: "Rejection", code: "no-way" });
});

test("codes of rejections are checked", () => {
  assert.throws(() => reject("No Way", "x"), /the code of a rejection is 1 to 64 letters in kebab-case/);
  assert.throws(() => reject("no-way"), /needs a message/);
});

test("a command knows where it stands", () => {
  const known = running((tx) => [
    tx.sequence,
    tx.time.toISOString(),
    tx.caller.subject,
    tx.command.basis,
    Date.now() === tx.timeMs,
    crypto.randomUUID() !== tx.newId(),
  ]);
  known
    .at(new Date("2026-01-02T03:04:05.006Z"))
    .caller({ subject: "ann", claims: {} })
    .basis(7)
    .when("run")
    .thenOk([1, "2026-01-02T03:04:05.006Z", "ann", 7, true, true]);
});

test("what handlers are given came through JSON", () => {
  const seen = running((tx, input) => [typeof input.at, Object.keys(input), tx.time instanceof Date]);
  seen.when("run", { at: new Date(0), gone: undefined }).thenOk(["string", ["at"], true]);
  const state = running(() => {}, {
    projections: {
      notes: {
        on: "**",
        tables: ["notes"],
        project(view, event) {
          view.notes.put("a", [
            typeof event.data.at,
            event.time instanceof Date,
            event.time.getTime() === Date.now(),
          ]);
        },
      },
    },
  });
  state.whenEvent({ type: "x", data: { at: new Date(0) } }).thenRow("notes", "a", ["string", true, true]);
});

test("chance is the same at every execution", () => {
  const state = running(() => [Math.random(), Math.random()]);
  const [one, other] = state.when("run").result;
  assert.notEqual(one, other);
  state.when("run").thenOk([one, other]).when("run").when("run").given();
  assert.notDeepEqual(state.when("run").when("run").result, [one, other]);
});

test("timers fire when they are due, and can be taken back", () => {
  const state = given(
    app({
      tables: { fired: {} },
      commands: {
        start(tx) {
          const late = tx.schedule(new Date(tx.timeMs + 2000), "fire", { name: "late" });
          tx.schedule(tx.timeMs + 1000, "fire", { name: "early" }, { why: "test" });
          tx.schedule(tx.timeMs + 500, "cancel", { id: late });
        },
        fire: (tx, { name }) => tx.fired.put(name, tx.sequence),
        cancel: (tx, { id }) => [tx.cancelTimer(id), tx.cancelTimer(id)],
      },
    }),
  );
  const started = state.when("start").given();
  assert.deepEqual(
    started.pending().map(({ name, metadata }) => [name, metadata]),
    [
      ["cancel", {}],
      ["fire", { why: "test" }],
      ["fire", {}],
    ],
  );
  assert.deepEqual(started.wait(5000).rows("fired"), [["early", 3]]);
});

test("reactions submit commands, and what follows from these follows", () => {
  const state = given(
    app({
      tables: { shipped: {} },
      commands: {
        ship: (tx, { order }) => (tx.shipped.put(order, true), tx.emit("order.shipped", { subject: order })),
      },
      reactions: {
        shipPaid: {
          on: ["order.paid"],
          react: (state, event) => ({ name: "ship", input: { order: event.subject } }),
        },
        refuse: { on: ["order.lost"], react: () => reject("lost", "It is lost.") },
        nothing: { on: ["**"], react: () => undefined },
      },
    }),
  );
  const paid = state.whenEvent({ type: "order.paid", subject: "7" }).thenCommand("ship", { order: "7" });
  assert.deepEqual(paid.follow().rows("shipped"), [["7", true]]);
  state.whenEvent({ type: "order.lost" }).thenReactionRefuses("lost");
  state.whenEvent({ type: "order.sent" }).thenNoCommand();
});

test("handlers that are async are pointed out", () => {
  assert.throws(
    () => running(async () => 1).when("run"),
    /`run` returned a promise, which this harness cannot wait for/,
  );
});

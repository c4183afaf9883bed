// The parts of the prelude that need no engine of their own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { structuredClone as clone } from "../src/engine/clone.js";
import { inspect } from "../src/engine/inspect.js";
import { fraction, uuid, words } from "../src/engine/random.js";
import { describe, failureText, placeOf } from "../src/engine/report.js";

test("chance follows from its seed, for ever", () => {
  const next = words("018bcfe5-6800-7000-8000-000000000001");
  // These numbers are in logs by now: a command executed again must see them again.
  assert.deepEqual(
    [next(), next(), fraction(next), uuid(next)],
    [3336844393, 4216532954, 0.039157176649150194, "1e4048d4-da6a-4d13-8633-c92589f75605"],
  );
  assert.notEqual(words("a")(), words("b")());
});

test("chance is spread evenly", () => {
  const next = words("spread");
  const counts = new Array(10).fill(0);
  for (let n = 0; n < 10_000; n += 1) counts[Math.floor(fraction(next) * 10)] += 1;
  for (const count of counts) assert.ok(count > 850 && count < 1150, counts.join());
});

test("UUIDs are of version 4", () => {
  const next = words("uuids");
  const seen = new Set();
  for (let n = 0; n < 1000; n += 1) {
    const id = uuid(next);
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    seen.add(id);
  }
  assert.equal(seen.size, 1000);
});

test("values are shown for people", () => {
  const self = { name: "x" };
  self.self = self;
  const cases = [
    ["text", "text"],
    [{ a: "text", "b c": [1, null, undefined] }, '{ a: "text", "b c": [1, null, undefined] }'],
    [self, '{ name: "x", self: [circular] }'],
    [new Map([[1, { a: 2 }]]), "Map(1) { 1 => { a: 2 } }"],
    [new Set(["a"]), 'Set(1) { "a" }'],
    [new Uint8Array([1, 2]), "Uint8Array(2) [1, 2]"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [10n, "10n"],
    [function named() {}, "[function named]"],
    [Symbol("s"), "Symbol(s)"],
    [{ a: { b: { c: { d: { e: 1 } } } } }, "{ a: { b: { c: { d: {…} } } } }"],
    [{}, "{}"],
    [[], "[]"],
    [/x/g, "/x/g"],
  ];
  for (const [value, shown] of cases) assert.equal(inspect(value), shown);
  assert.match(inspect(Array.from({ length: 200 }, () => 0)), /… 100 more\]$/);
});

test("clones share nothing with what they are made from", () => {
  const shared = { n: 1 };
  const value = {
    date: new Date(5),
    map: new Map([["a", shared]]),
    set: new Set([shared]),
    list: [shared, , 3],
    bytes: new Uint8Array([1, 2, 3]).subarray(1),
    rx: /a/gi,
  };
  value.self = value;
  const copy = clone(value);
  assert.notEqual(copy, value);
  assert.equal(copy.self, copy);
  assert.equal(copy.map.get("a"), copy.list[0]);
  assert.notEqual(copy.list[0], shared);
  assert.deepEqual(
    [copy.date.getTime(), [...copy.bytes], copy.rx.flags, copy.list.length, 1 in copy.list],
    [5, [2, 3], "gi", 3, false],
  );
  const error = clone(new RangeError("far"));
  assert.ok(error instanceof RangeError && error.message === "far");
  assert.throws(() => clone({ f() {} }), { name: "DataCloneError" });
  assert.throws(() => clone(Promise.resolve()), { name: "DataCloneError" });
});

test("failures are told with the frames of the script alone", () => {
  const error = new TypeError("x is not a function");
  error.stack =
    "    at buyProduct (shop.js:12:7)\n    at run (chancery-sdk/calls.js:39:1)\n    at attempt (chancery-sdk/engine/glue.js:1:2)\n";
  assert.equal(failureText(error), "TypeError: x is not a function\n    at buyProduct (shop.js:12:7)");
  assert.deepEqual(placeOf(describe(error)), { line: 12, column: 7 });
  assert.equal(failureText({ x: 1 }), 'Uncaught {"x":1}');
  assert.equal(failureText("text"), "Uncaught text");
  assert.equal(failureText(undefined), "Uncaught undefined");
});

test("failures are told in 1 KiB, whatever they say", () => {
  const error = new Error("é".repeat(5000));
  error.stack = "    at f (shop.js:1:1)\n".repeat(1000);
  const text = failureText(error);
  assert.ok(Buffer.byteLength(text) <= 1024, String(Buffer.byteLength(text)));
  assert.match(text, /shop\.js:1:1\)$/);
});

test("what throws when it is looked at is told all the same", () => {
  const thrown = new Error("x");
  Object.defineProperty(thrown, "message", {
    get: () => {
      throw new Error("no");
    },
  });
  assert.equal(typeof failureText(thrown), "string");
  assert.equal(
    failureText({
      toJSON() {
        throw 1;
      },
    }),
    "Uncaught something that cannot be shown",
  );
});

test("lines of ad-hoc queries count from their author's first", () => {
  const error = new ReferenceError("foo is not defined");
  error.stack = "    at <anonymous> (<adhoc>:4:3)\n";
  assert.deepEqual(placeOf(describe(error)), { line: 3, column: 3 });
});

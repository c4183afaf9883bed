// What `app()` takes, what it refuses, and the manifest it gives.

import assert from "node:assert/strict";
import { test } from "node:test";

import { app } from "../src/index.js";
import { kebab } from "../src/names.js";
import { given } from "../src/testing/index.js";
import { matches } from "../src/testing/pattern.js";

test("the manifest has the shape that the server reads", () => {
  const input = { type: "object" };
  const everything = app({
    description: "Everything.",
    tables: { someRows: { description: "Rows.", adopt: true }, sums: {} },
    events: { "row.written": { description: "A row was written.", schema: input } },
    queries: { lastRow: () => 1, "find-row": { run: () => 1, description: "Finds.", input, output: true } },
    commands: { writeRow: () => 1 },
    projections: { sumUp: { on: "row.*", version: 3, tables: ["sums"], project() {} } },
    reactions: { writeAgain: { on: ["*.written"], from: "start", react() {} } },
    onDeploy: () => 1,
  });
  assert.deepEqual(given(everything).manifest(), {
    contract: "0.1.0",
    description: "Everything.",
    tables: { "some-rows": { description: "Rows.", adopt: true }, sums: { description: "", adopt: false } },
    queries: {
      "last-row": { description: "" },
      "find-row": { description: "Finds.", input, output: true },
    },
    commands: {
      "write-row": { description: "" },
      "on-deploy": { description: "", input: { type: "object" } },
    },
    events: { "row.written": { description: "A row was written.", schema: input } },
    projections: { "sum-up": { description: "", version: 3, on: ["row.*"], tables: ["sums"] } },
    reactions: { "write-again": { description: "", on: ["*.written"], from: "start" } },
    on_deploy: "on-deploy",
  });
});

test("names become those of the server", () => {
  const names = {
    stockOf: "stock-of",
    stock_of: "stock-of",
    "stock-of": "stock-of",
    URLOf: "url-of",
    order2Ship: "order2-ship",
    a: "a",
    A: "a",
    HTTPServerURL: "http-server-url",
    Stock_Of: "stock-of",
    shipA: "ship-a",
  };
  for (const [name, known] of Object.entries(names)) assert.equal(kebab(name), known);
});

test("what is declared wrongly is refused, and says where", () => {
  const refusals = [
    [undefined, "app() is an object, not undefined"],
    [
      { table: {} },
      "app() has no member `table`; it has description, tables, events, queries, commands, projections, reactions, onDeploy",
    ],
    [
      { tables: { a: { keys: "text" } } },
      "tables.a has no member `keys`; it has key, row, description, adopt",
    ],
    [
      { tables: { a: { key: "number" } } },
      'tables.a.key "number" is no type of a key; there are text, integer, boolean, uuid, and arrays of them',
    ],
    [{ tables: [] }, "tables is an object, not "],
    [{ queries: { a: 1 } }, "queries.a is an object, not 1"],
    [{ queries: { a: {} } }, "queries.a is a function, or an object with a function `run`"],
    [
      { queries: { stockOf() {}, "stock-of"() {} } },
      "queries.stock-of is `stock-of` for the server, and so is another",
    ],
    [
      { projections: { a: { on: ["x"], project() {}, tables: ["b"] } } },
      'projections.a.tables "b" is not among the app\'s `tables`',
    ],
    [
      { projections: { a: { project() {} } } },
      'projections.a.on lists patterns of event types, such as ["order.*"]',
    ],
    [
      { reactions: { a: { on: "x", react() {}, from: "then" } } },
      'reactions.a.from is "now" or "start", not then',
    ],
    [{ reactions: { a: { on: "x" } } }, "reactions.a is an object with a function `react`"],
  ];
  for (const [declared, message] of refusals)
    assert.throws(() => app(declared), { name: "TypeError", message });
  assert.throws(
    () => app({ tables: { sequence: {} } }),
    /tables.sequence is a name that handlers have already/,
  );
  assert.throws(() => given({}), /given\(\) takes what app\(\) returned/);
});

test("wildcards stand for words", () => {
  const cases = [
    ["order.placed", "order.placed", true],
    ["order.placed", "order.placed.twice", false],
    ["order.*", "order.placed", true],
    ["order.*", "order", false],
    ["order.**", "order", true],
    ["order.**", "order.item.added", true],
    ["order.**", "orders", false],
    ["*.failed", "payment.failed", true],
    ["*.failed", "failed", false],
    ["**", "anything.at.all", true],
  ];
  for (const [pattern, type, isMeant] of cases)
    assert.equal(matches(pattern, type), isMeant, `${pattern} ${type}`);
});

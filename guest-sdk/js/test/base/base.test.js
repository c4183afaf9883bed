// The base component as it is built: `cargo xtask base` first.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { COMMANDS, Tables } from "../../src/testing/memory.js";
import { Base } from "./abi.js";

const file =
  process.env.CHANCERY_SCRIPT_BASE ??
  new URL("../../../../target/script-base/script-base.wasm", import.meta.url);
if (!existsSync(file)) throw new Error(`${file} is not there; \`cargo xtask base\` builds it`);
const module = new WebAssembly.Module(readFileSync(file));

const prepared = new Base(module, server());
prepared.prepare();

function server(more = {}) {
  const tables = new Tables();
  for (const name of ["stock", "orders", "totals"]) tables.declare(name, COMMANDS);
  return { tables, log: [], events: [], timers: [], ...more };
}

/** A fresh instance with a script loaded. */
function loaded(source, more) {
  const base = prepared.fork(server(more));
  assert.equal(base.load("shop.js", source), undefined);
  return base;
}

/** A fresh instance whose app has these queries. */
function asking(queries, more) {
  return loaded(
    `import { app, reject, Rejection } from "chancery-sdk";\nexport default app({ tables: { stock: {} },\nqueries: {\n${queries}\n} });`,
    more,
  );
}

/** What the log says of a handler that fails. */
function failure(call, base) {
  assert.throws(call, WebAssembly.RuntimeError);
  assert.equal(base.server.log.length, 1);
  const [[level, text]] = base.server.log;
  assert.equal(level, "error");
  return text;
}

const SHOP = readFileSync(new URL("../../../../examples/shop-js/shop.js", import.meta.url), "utf8");

test("the shop runs", () => {
  const shop = loaded(SHOP);
  assert.deepEqual(Object.keys(shop.describe().commands), ["add-product", "buy-product"]);
  assert.deepEqual(shop.execute("add-product", { product: "lamp", name: "Lamp", quantity: 1 }), {
    ok: { name: "Lamp", left: 1 },
  });
  const { ok } = shop.execute("buy-product", { product: "lamp", buyer: "ann" }, { sequence: 2 });
  assert.deepEqual(ok, { order: "id-1", product: "lamp", left: 0 });
  assert.deepEqual(shop.server.events, [
    { type: "order.placed", subject: "product/lamp", data: { order: "id-1", product: "lamp", buyer: "ann" } },
  ]);
  const refused = shop.execute("buy-product", { product: "lamp" }, { sequence: 3 });
  assert.deepEqual(refused, {
    code: "out-of-stock",
    message: "No Lamp is left.",
    details: { product: "lamp" },
    events: [],
  });
  assert.deepEqual(shop.query("orders-of", { product: "lamp" }), {
    ok: [{ order: "id-1", buyer: "ann", sequence: 2 }],
  });
  assert.deepEqual(shop.server.tables.keys("orders"), ["lamp\tA2"]);
});

test("scripts that cannot be loaded say why and where", () => {
  const base = prepared.fork(server());
  const cases = [
    ["export default {\n  a: 1,\n  b 2\n}", "syntax-error", /^SyntaxError: /, { line: 3, column: 5 }],
    [
      "",
      "no-app",
      /shop\.js has no default export; it must have `export default app\(\{ … \}\)`\./,
      undefined,
    ],
    ["export default { queries: {} }", "no-app", /that app\(\) did not make/, undefined],
    ["import x from 'lodash';", "unsupported-import", /`lodash` cannot be imported/, { specifier: "lodash" }],
    [
      "import x from 'chancery-sdk/engine/glue.js';",
      "unsupported-import",
      /cannot be imported/,
      { specifier: "chancery-sdk/engine/glue.js" },
    ],
    [
      "import x from './chancery-sdk/app.js';",
      "unsupported-import",
      /cannot be imported/,
      { specifier: "./chancery-sdk/app.js" },
    ],
    [
      "await import('node:fs');",
      "unsupported-import",
      /`node:fs` cannot be imported/,
      { specifier: "node:fs" },
    ],
    [
      "function f() {\n  throw new RangeError('far') }\nf();",
      "script-failed",
      /^RangeError: far$/,
      { stack: "    at f (shop.js:2:13)\n    at <anonymous> (shop.js:3:1)", line: 2, column: 13 },
    ],
    ["await new Promise(() => {});", "script-failed", /waits at its top level/, { stack: "" }],
    ["throw 'text';", "script-failed", /^Uncaught text$/, { stack: "" }],
    [
      "import { app } from 'chancery-sdk';\nexport default app({ querys: {} });",
      "script-failed",
      /^TypeError: app\(\) has no member `querys`/,
      { stack: "    at <anonymous> (shop.js:2:16)", line: 2, column: 16 },
    ],
    [
      "import { nothing } from 'chancery-sdk';",
      "unsupported-import",
      /^"chancery-sdk" exports no `nothing`; it has Rejection, app, reject, type\.$/,
      { specifier: "chancery-sdk" },
    ],
    [
      "Date.now() === 0 || fail(); new Date().getFullYear() === 1970 || fail();",
      "no-app",
      /no default export/,
      undefined,
    ],
  ];
  for (const [source, code, message, details] of cases) {
    const refused = base.load("shop.js", source);
    assert.equal(refused?.code, code, `${source}: ${JSON.stringify(refused)}`);
    assert.match(refused.message, message);
    assert.deepEqual(refused.details, details, source);
  }
  assert.equal(base.load("shop.js", SHOP), undefined);
  assert.deepEqual(base.server.log, []);
});

test("a script of five megabytes is loaded", () => {
  const filler = `const text = "${"x".repeat(5_000_000)}";\n`;
  const base = loaded(
    `${filler}import { app } from "chancery-sdk"; export default app({ queries: { n: () => text.length } });`,
  );
  assert.deepEqual(base.query("n"), { ok: 5_000_000 });
});

test("a handler that fails is logged with file and line", () => {
  const base = asking("ok: () => 1,\nboom(state) {\n  const f = undefined;\n  return f(state);\n},");
  assert.equal(
    failure(() => base.query("boom"), base),
    "TypeError: not a function\n    at boom (shop.js:7:12)",
  );
});

test("what handlers must not return is named", () => {
  const base = asking(`
    big: () => ({ list: [1, { price: 2n }] }), cyclic() { const a = {}; a.b = { a }; return a; }, fn: () => () => 1,
    never: () => new Promise(() => {}), text() { throw "text"; }, object() { throw { code: "x" }; }, nothing() { throw undefined; },
    later() { setTimeout(() => {}, 1); }, fetches: () => fetch("http://x"), socket: () => new WebSocket("ws://x"),
    floating() { (async () => { await null; null.y; })(); return 1; }, micro() { queueMicrotask(() => null.z); },
    rejects: async () => { await null; null.x; }, table: (state) => state.nothing.get("x"), key: (state) => state.stock.get(7),
    recursion() { const f = (n) => f(n + 1) + 1; return f(0); }, writes: (state) => state.stock.put("a", 1)`);
  const cases = {
    big: /^TypeError: the result of query "big" cannot be written as JSON: `list\[1\]\.price` is a BigInt; write it as a text$/,
    cyclic: /`b\.a` is an object that contains itself$/,
    fn: /cannot be written as JSON: it is a function$/,
    never:
      /^TypeError: `never` returned a promise that never settles: there is nothing to wait for in a handler/,
    text: /^Uncaught text$/,
    object: /^Uncaught \{"code":"x"\}$/,
    nothing: /^Uncaught undefined$/,
    later: /^Error: there is no setTimeout here: .*tx\.schedule.*\n    at later \(shop\.js:\d+:\d+\)$/,
    fetches: /^Error: there is no fetch here: .*reaction.*\n    at fetches/,
    socket: /^Error: there is no WebSocket here/,
    floating: /^TypeError: cannot read property 'y' of null\n/,
    micro: /^TypeError: cannot read property 'z' of null\n/,
    rejects: /^TypeError: cannot read property 'x' of null\n    at rejects \(shop\.js/,
    table: /^TypeError: cannot read property 'get' of undefined\n    at table/,
    key: /^TypeError: table "stock": a key text has a text, not 7\n    at key/,
    recursion: /^RangeError: Maximum call stack size exceeded\n    at f \(shop\.js/,
    writes: /^Error: only a command can do this\n    at writes/,
  };
  for (const [name, message] of Object.entries(cases)) {
    const fork = base.fork(server());
    assert.match(
      failure(() => fork.query(name), fork),
      message,
    );
  }
});

test("results are what handlers return, or what their promises become", () => {
  const base = asking(`
    nothing() {}, none: () => null, text: () => "é😀\\ud800", later: async (state) => { await null; return state.stock.count(); },
    then: () => ({ then(done) { done(7); } }), caught: async () => { const p = Promise.reject(new Error("x")); try { await p; } catch { return 1; } }, bytes: () => new Uint8Array([0, 255]), micro() { const a = []; queueMicrotask(() => a.push(1)); return a; },
    refuse: () => reject("no-way", "No.", { a: [1] }), date: () => new Date(0)`);
  assert.deepEqual(base.query("nothing"), { ok: null });
  assert.deepEqual(base.query("none"), { ok: null });
  assert.deepEqual(base.query("text"), { ok: "é😀\ud800" });
  assert.deepEqual(base.query("later"), { ok: 0 });
  assert.deepEqual(base.query("then"), { ok: 7 });
  assert.deepEqual(base.query("caught"), { ok: 1 });
  assert.deepEqual(base.query("bytes"), { ok: new Uint8Array([0, 255]) });
  assert.deepEqual(base.query("micro"), { ok: [1] });
  assert.deepEqual(base.query("date"), { ok: "1970-01-01T00:00:00.000Z" });
  assert.deepEqual(base.query("refuse"), { code: "no-way", message: "No.", details: { a: [1] }, events: [] });
  assert.equal(base.query("nix").code, "unknown-query");
});

test("a query is told the time only when it asks", () => {
  const clock = { requestTimeMs: 1_700_000_000_123 };
  const quiet = asking("a: (state) => state.stock.count() + Math.random()", clock);
  quiet.query("a");
  assert.equal(quiet.server.wasAskedForTime, undefined);
  const curious = asking("a: (state) => [Date.now(), new Date().toISOString(), state.requestTime]", clock);
  const time = "2023-11-14T22:13:20.123Z";
  assert.deepEqual(curious.query("a"), { ok: [1_700_000_000_123, time, time] });
  assert.equal(curious.server.wasAskedForTime, true);
});

test("time and chance of a command follow from the command", () => {
  const source = `import { app } from "chancery-sdk";
    export default app({ commands: { run: (tx) => [Date.now(), tx.timeMs, Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(4))]] } });`;
  const run = (options) => loaded(source).execute("run", null, options).ok;
  const first = run({ timeMs: 5_000 });
  assert.deepEqual(first.slice(0, 2), [5_000, 5_000]);
  assert.equal(first[3], "id-1");
  assert.deepEqual(run({ timeMs: 5_000 }), first);
  assert.notDeepEqual(
    run({ timeMs: 5_000, id: "018bcfe5-6800-7000-8000-000000000002" }).slice(2),
    first.slice(2),
  );
  // The same from an instance that has executed others before.
  const used = loaded(source);
  used.execute("run", null, { id: "018bcfe5-6800-7000-8000-000000000009" });
  assert.deepEqual(used.execute("run", null, { timeMs: 5_000 }).ok.slice(2, 3), first.slice(2, 3));
});

test("projections and reactions see their event", () => {
  const base = loaded(`import { app, reject } from "chancery-sdk";
    export default app({ tables: { totals: {} }, commands: { ship() {} },
      projections: { totals: { on: "order.*", tables: ["totals"], project(view, event) { view.totals.put(event.subject, { ...event, now: Date.now() }); } } },
      reactions: { shipAll: { on: "order.*", react(state, event) { return event.data === 0 ? undefined : [{ name: "shipIt", input: { at: event.time, n: event.data }, metadata: { m: 1 } }]; } },
        refuse: { on: "x", react: () => reject("later", "Later.", { permanent: true }) } } });`);
  assert.equal(
    base.project("totals", { type: "order.placed", subject: "a", data: { n: 1 }, timeMs: 7 }),
    undefined,
  );
  const row = JSON.parse(base.server.tables.get("totals", "a").json);
  assert.deepEqual(
    [row.now, row.time, row.data, row.type, row.position],
    [7, "1970-01-01T00:00:00.007Z", { n: 1 }, "order.placed", 1],
  );
  assert.deepEqual(base.react("ship-all", { type: "order.placed", data: 3, timeMs: 7 }), {
    ok: [{ name: "ship-it", input: { at: "1970-01-01T00:00:00.007Z", n: 3 }, metadata: { m: 1 } }],
  });
  assert.deepEqual(base.react("ship-all", { type: "order.placed", data: 0 }), { ok: [] });
  assert.deepEqual(base.react("refuse", { type: "x" }).details, { permanent: true });
});

test("the console writes to the log", () => {
  const base = asking(
    "a() { console.log('one', { two: [2] }); console.warn('three'); console.error(new Error('four')); console.debug(); console.trace(5); }",
  );
  base.query("a");
  const [first, second, third, fourth, fifth] = base.server.log;
  assert.deepEqual(
    [first, second, fourth, fifth],
    [
      ["info", "one { two: [2] }"],
      ["warn", "three"],
      ["debug", ""],
      ["trace", "5"],
    ],
  );
  assert.equal(third[0], "error");
  assert.match(third[1], /^Error: four\n    at a \(shop\.js/);
});

test("what cannot be shown or is half a character is no reason to fail", () => {
  const base = asking(`
    log() { console.log({ get a() { throw 1; } }, "\\ud800"); console.log(new Proxy({}, { ownKeys() { throw 1; } })); },
    refuse: () => reject("no-way", "\\ud800", "\\ud800"), fails() { throw new Error("\\ud800"); }`);
  assert.deepEqual(base.query("log"), { ok: null });
  assert.deepEqual(base.server.log.splice(0), [
    ["info", "[cannot be shown] \ufffd"],
    ["info", "[cannot be shown]"],
  ]);
  assert.equal(base.query("refuse").message, "\ufffd");
  assert.match(
    failure(() => base.query("fails"), base),
    /^Error: \ufffd\n/,
  );
});

test("what is in the global object works", () => {
  const base = asking(`
    text: () => [[...new TextEncoder().encode("hé😀\\ud800")], new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0xc3, 0xa9, 0xff])), btoa("ab"), atob("YWI=")],
    fatal() { try { new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff])); } catch (error) { return error.message; } },
    clone() { const a = { d: new Date(1), m: new Map([[1, 2]]) }; const b = structuredClone(a); return [b.d.getTime(), b.m.get(1), a === b]; },
    iterators: (state) => state.stock.scan().filter(([key]) => key > "a").map(([key, value]) => key + value).toArray(),
    groups: (state) => Object.groupBy(state.stock.values(), (value) => (value > 1 ? "many" : "one")),
    absent: () => [typeof process, typeof globalThis.__chancery_host, typeof std, typeof os, typeof require],
    adhoc: () => { "use strict"; return Object.isFrozen(console) && Object.isFrozen(crypto); }`);
  for (const [key, value] of [
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ])
    base.server.tables.put("stock", key, { json: String(value) });
  assert.deepEqual(base.query("text").ok, [
    [104, 195, 169, 240, 159, 152, 128, 239, 191, 189],
    "é\ufffd",
    "YWI=",
    "ab",
  ]);
  assert.equal(base.query("fatal").ok, "these bytes are not UTF-8");
  assert.deepEqual(base.query("clone").ok, [1, 2, false]);
  assert.deepEqual(base.query("iterators").ok, ["b2", "c3"]);
  assert.deepEqual(base.query("groups").ok, { one: [1], many: [2, 3] });
  assert.deepEqual(base.query("absent").ok, ["undefined", "undefined", "undefined", "undefined", "function"]);
  assert.equal(base.query("adhoc").ok, true);
});

test("pages of a scan go on, and are given back when it is left", () => {
  const base = asking(
    "all: (state) => [...state.stock.keys()].length, some: (state) => state.stock.keys({ limit: 60 }).toArray().length, left(state) { let n = 0; for (let i = 0; i < 500; i += 1) for (const row of state.stock) { n += 1; break; } return n; }, late: (state) => { globalThis.kept = state.stock.scan(); return kept.next().value[0]; }, later: () => [...kept]",
  );
  for (let n = 0; n < 205; n += 1) base.server.tables.put("stock", `k${n}`, { json: "1" });
  assert.deepEqual([base.query("all").ok, base.query("some").ok, base.query("left").ok], [205, 60, 500]);
  base.query("late");
  base.query("some");
  assert.match(
    failure(() => base.query("later"), base),
    /^Error: a scan can only be read by the call that began it/,
  );
});

test("nothing that a handler does to the language is there in the next call", () => {
  const targets = [
    "JSON.stringify",
    "JSON.parse",
    "Map.prototype.get",
    "Array.prototype.map",
    "Array.prototype[Symbol.iterator]",
    "Object.freeze",
    "WeakMap.prototype.get",
    "Object.prototype.toString",
    "Error.prototype.message",
    "Promise.prototype.then",
    "Function.prototype.call",
    "globalThis.JSON",
    "globalThis.console",
    "console.log",
    "Math.random",
    "crypto.randomUUID",
    "String.prototype.replace",
    "RegExp.prototype.exec",
    "Object.getPrototypeOf([][Symbol.iterator]()).next",
    "Object.getPrototypeOf([].values().map(String)).next",
    "Object.getPrototypeOf(Iterator.from({ next() {} })).next",
    "Error.stackTraceLimit",
    "Error.prepareStackTrace",
    "Object.getPrototypeOf((async () => {})).constructor",
    "Uint8Array.prototype.constructor",
    "Object.getPrototypeOf(Uint8Array.prototype).set",
    "Object.getPrototypeOf(function* () {}.prototype).next",
    "Number.prototype.toString",
    "state.stock",
    "state.stock.get",
    "Object.getPrototypeOf(state.stock).get",
    "state.table",
    "reject.call",
    "Rejection.is",
    "Rejection.prototype.constructor",
    "TextEncoder.prototype.encode",
    "Date.now",
  ];
  const base = asking(
    `tamper(state, n) { [${targets.map((target) => `() => { ${target} = () => 1; }`)}][n](); }, remove(state, n) { [${targets.map((target) => `() => { delete ${target}; }`)}][n](); }`,
  );
  for (const [n, target] of targets.entries()) {
    for (const name of ["tamper", "remove"]) {
      const fork = base.fork(server());
      // What is inherited cannot be deleted, and trying is no error.
      if (["state.table", "state.stock.get", "reject.call"].includes(target) && name === "remove") continue;
      assert.throws(() => fork.query(name, n), undefined, `${name} ${target}`);
      assert.match(
        fork.server.log[0][1],
        /^TypeError: .*(read-only|not extensible|could not delete|no setter)/,
        `${name} ${target}`,
      );
    }
  }
});

test("what code does to objects of its own is allowed", () => {
  const base = asking(`own() {
    class MyError extends Error { constructor(text) { super(text); this.name = "MyError"; } }
    function Old() {} Old.prototype = Object.create(Array.prototype); Old.prototype.constructor = Old; Old.prototype.toString = () => "old";
    const error = new TypeError(); error.message = "late"; error.name = "Renamed"; error.toString = () => "shown";
    const plain = {}; plain.toString = () => "plain"; plain.hasOwnProperty = 1; plain.constructor = 2; plain.valueOf = null;
    const list = [1]; list.push = () => 7; const f = () => 1; f.toString = () => "f";
    Array.prototype.added = 1; globalThis.setTimeout = () => "mine"; globalThis.process = { env: {} };
    return [String(new MyError("x")), String(new Old()), error.message, error.name, String(error), \`\${plain}\`, list.push(2), String(f), [].added, setTimeout(), Object.keys(plain)];
  }`);
  assert.deepEqual(base.query("own").ok, [
    "MyError: x",
    "old",
    "late",
    "Renamed",
    "shown",
    "plain",
    7,
    "f",
    1,
    "mine",
    ["toString", "hasOwnProperty", "constructor", "valueOf"],
  ]);
});

test("ad-hoc queries are expressions or bodies", () => {
  const ask = (source, input) => {
    const base = prepared.fork(server({ sequence: 9 }));
    for (const [key, value] of [
      ["a", 3],
      ["b", 1],
      ["c", 2],
    ])
      base.server.tables.put("stock", key, { json: JSON.stringify({ n: value }) });
    return base.adhoc(source, input);
  };
  assert.deepEqual(ask("1 + 1"), { ok: 2 });
  assert.deepEqual(ask("sequence"), { ok: 9 });
  assert.deepEqual(ask("table('stock').scan().filter(([k, v]) => v.n > 1).map(([k]) => k)"), {
    ok: ["a", "c"],
  });
  assert.deepEqual(ask("table('stock').values().toArray().sort((a, b) => a.n - b.n).map((v) => v.n)"), {
    ok: [1, 2, 3],
  });
  assert.deepEqual(ask("Map.groupBy(table('stock').values(), (v) => v.n % 2 ? 'odd' : 'even')"), {
    ok: { odd: [{ n: 3 }, { n: 1 }], even: [{ n: 2 }] },
  });
  assert.deepEqual(
    ask("const { from } = input;\n// from there\nreturn table('stock').count({ from }) // all", {
      from: "b",
    }),
    { ok: 2 },
  );
  assert.deepEqual(ask("for (const [k] of table('stock').scan()) if (k > 'a') return k;"), { ok: "b" });
  assert.deepEqual(ask("{ a: 1 } // an object"), { ok: { a: 1 } });
  assert.deepEqual(ask("return"), { ok: null });
  assert.deepEqual(ask("1 +\n  foo"), {
    code: "script-failed",
    message: "ReferenceError: foo is not defined",
    details: { stack: "    at <anonymous> (<adhoc>:2:3)", line: 2, column: 3 },
    events: [],
  });
  const wrong = ask("1 +\n  ( ]");
  assert.deepEqual([wrong.code, wrong.details.line], ["syntax-error", 2]);
  assert.equal(ask("table('stock').put('a', 1)").message, "Error: only a command can do this");
  assert.equal(
    ask("({ n: 1n })").message,
    "TypeError: the result cannot be written as JSON: `n` is a BigInt; write it as a text",
  );
  assert.equal(ask("import('chancery-sdk/app.js')").code, "script-failed");
});

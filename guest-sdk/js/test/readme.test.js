// What the README shows works.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import assert from "node:assert/strict";

import { given } from "../src/testing/index.js";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
const made = [];

after(() => made.forEach((file) => rmSync(file)));

/** Evaluates a module where the package's own name means the package. */
async function evaluate(name, code) {
  const file = new URL(`./readme-${process.pid}-${name}`, import.meta.url);
  writeFileSync(file, code);
  made.push(file);
  return import(file);
}

test("the app and its test", async () => {
  const [room] = blocks;
  const check = blocks.at(-1);
  assert.match(check, /given\(room\)/);
  await evaluate("room.mjs", room);
  await evaluate("check.mjs", check.replace("./room.js", `./readme-${process.pid}-room.mjs`));
});

test("what follows from events", async () => {
  const code = blocks.find((block) => block.includes("projections"));
  const { default: app } = await evaluate("follow.mjs", `import { app } from "chancery-sdk";\n${code}`);
  const taken = { type: "seat.taken", data: { guest: "ann" } };
  given(app)
    .event(taken)
    .whenEvent(taken)
    .thenRow("perGuest", "ann", 2)
    .thenCommand("send-thanks", { guest: "ann" });
});

test("the scan of a query", async () => {
  const code = blocks.find((block) => block.includes("latest"));
  const { default: app } = await evaluate(
    "scan.mjs",
    `import { app } from "chancery-sdk";
    export default app({ tables: { orders: { key: ["text", "integer"] } }, queries: { latest(state, { customer }) { ${code} } } });`,
  );
  const state = given(app)
    .row("orders", ["ann", 1], { n: "a" })
    .row("orders", ["ann", 12], { n: "b" })
    .row("orders", ["bob", 1], {});
  assert.deepEqual(state.query("latest", { customer: "ann" }), [
    { number: 12, n: "b" },
    { number: 1, n: "a" },
  ]);
});

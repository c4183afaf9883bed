/**
 * Live queries against a real server: each answer once, over lost connections too.
 *
 * @module
 */

import assert from "node:assert/strict";
import test from "node:test";

import { connect, Rejected } from "../../src/index.js";
import { serve } from "./harness.js";

const LAMP = { product: "lamp" };
const lamps = (quantity) => ({ product: "lamp", name: "Lamp", quantity });

async function next(answers) {
  const { value, done } = await answers.next();
  assert.equal(done, false);
  return value;
}

test("the answer comes again when it is another one", async (t) => {
  const { url, server, proxy } = await serve(t);
  const app = connect(url);
  const answers = app.live("stock-of", LAMP);
  const refused = await next(answers);
  assert.ok(refused.error instanceof Rejected);
  assert.deepEqual([refused.error.code, refused.result], ["unknown-product", undefined]);

  const added = await app.command("add-product", lamps(3));
  assert.deepEqual(await next(answers), {
    result: { name: "Lamp", left: 3 },
    sequence: added.sequence,
  });

  // The same answer over another connection is no other one.
  proxy.cut();
  const another = next(answers);
  await server.kill();
  await server.start();
  const bought = await app.command("buy-product", LAMP);
  assert.deepEqual(await another, { result: { name: "Lamp", left: 2 }, sequence: bought.sequence });
  await answers.return();
});

test("the first answer has what the client wrote", async (t) => {
  const { url } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  await app.command("spin", { iterations: 5_000_000 }, { wait: 0 });
  const { sequence } = await app.command("put", { key: "a", value: 1 }, { wait: 0 });
  const answers = app.live("get", { key: "a" }, { maxRate: 5 });
  const first = await next(answers);
  assert.equal(first.result, 1);
  assert.ok(first.sequence >= sequence);
  await answers.return();
  await assert.rejects(next(app.live("get", { key: "a" }, { atLeast: 999 })), { code: "sequence-ahead" });
  await assert.rejects(next(app.live("got", {})), { code: "unknown-query" });
});

test("a query that is gone ends it, and so does another history", async (t) => {
  const one = await serve(t, { modules: ["shop"] });
  const two = await serve(t, { modules: ["shop"] });
  let target = one.url;
  const fetch = (url, init) => globalThis.fetch(url.replace(one.url, target), init);
  const app = connect(one.url, { fetch });
  await app.command("add-product", lamps(1));

  const moved = app.live("stock-of", LAMP);
  await next(moved);
  target = two.url;
  one.proxy.cut();
  await assert.rejects(next(moved), { code: "history-changed" });

  // Who begins there, begins there.
  assert.equal((await next(app.live("stock-of", LAMP))).error.code, "unknown-product");
  target = one.url;
  const answers = app.live("stock-of", LAMP);
  await next(answers);
  await globalThis.fetch(one.server.path("/modules/shop"), { method: "DELETE" });
  await assert.rejects(next(answers), { code: "unknown-query", status: 404 });
  assert.deepEqual(await answers.next(), { done: true, value: undefined });
});

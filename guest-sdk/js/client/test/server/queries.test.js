/**
 * Queries against a real server: a client reads what it wrote.
 *
 * @module
 */

import assert from "node:assert/strict";
import test from "node:test";

import { connect, Rejected } from "../../src/index.js";
import { problem, recording, serve } from "./harness.js";

const LAMP = { product: "lamp" };

function atLeast(call) {
  return new URL(call.url).searchParams.get("at_least");
}

test("a client reads what it wrote, unless it does not care", async (t) => {
  const { url } = await serve(t, { modules: ["probe"] });
  const { calls, fetch } = recording();
  const app = connect(url, { fetch });
  assert.equal((await app.query("get", { key: "a" })).result, null);
  assert.equal(atLeast(calls.at(-1)), null);
  assert.equal(app.sequence, 0);

  // Not waited for: the query waits.
  await app.command("spin", { iterations: 5_000_000 }, { wait: 0 });
  const { sequence } = await app.command("put", { key: "a", value: 1 }, { wait: 0 });
  const answer = await app.query("get", { key: "a" });
  assert.equal(answer.result, 1);
  assert.ok(answer.sequence >= sequence);
  assert.equal(answer.history, app.history);
  assert.deepEqual(answer.behind, []);
  assert.equal(atLeast(calls.at(-1)), `${sequence}`);
  assert.equal(calls.at(-1).headers["chancery-history"], app.history);

  await app.query("get", { key: "a" }, { atLeast: null });
  assert.equal(atLeast(calls.at(-1)), null);
  await app.query("get", { key: "a" }, { atLeast: 2 });
  assert.equal(atLeast(calls.at(-1)), "2");
  const before = await app.query("get", { key: "a" }, { asOf: sequence - 1 });
  assert.deepEqual([before.result, before.sequence], [null, sequence - 1]);
  const careless = connect(url, { fetch, readYourWrites: false });
  await careless.command("put", { key: "a", value: 2 });
  await careless.query("get", { key: "a" });
  assert.equal(atLeast(calls.at(-1)), null);
  await assert.rejects(app.query("get", { key: "a" }, { atLeast: 999 }), { code: "sequence-ahead" });
});

test("an answer that is there already is not sent again", async (t) => {
  const { url } = await serve(t, { modules: ["probe"] });
  const { calls, fetch } = recording();
  const app = connect(url, { fetch });
  await app.command("put", { key: "a", value: { list: [1] } });
  const first = await app.query("get", { key: "a" });
  first.result.list.push("mine");
  const second = await app.query("get", { key: "a" });
  assert.equal(calls.at(-1).status, 304);
  assert.deepEqual(second.result, { list: [1] });
  assert.equal(second.sequence, first.sequence);
  await app.command("put", { key: "a", value: { list: [2] } });
  assert.deepEqual((await app.query("get", { key: "a" })).result, { list: [2] });
  assert.equal(calls.at(-1).status, 200);
});

test("an input that is too long for an address is the body", async (t) => {
  const { url } = await serve(t, { modules: ["probe"] });
  const { calls, fetch } = recording();
  const app = connect(url, { fetch });
  const keys = Array.from({ length: 1_000 }, (_, n) => `key/${n}`);
  await app.command("put", { key: "key/7", value: "seven" });
  const { result } = await app.query("each", { keys });
  assert.equal(result[7], "seven");
  assert.equal(calls.at(-1).method, "POST");
});

test("queries are asked again, and refusals are not", async (t) => {
  const { url, proxy } = await serve(t);
  const { calls, fetch } = recording();
  const app = connect(url, { fetch });
  await app.command("add-product", { product: "lamp", name: "Lamp", quantity: 1 });
  const busy = problem(503, { code: "busy", retry: "later" }, { "retry-after": "0" });
  proxy.next = [{ lose: "answer" }, { cutAfter: 100 }, { answer: busy }];
  calls.length = 0;
  assert.equal((await app.query("stock-of", LAMP)).result.left, 1);
  assert.equal(calls.length, 4);

  calls.length = 0;
  await assert.rejects(app.query("stock-of", { product: "chair" }), (error) => {
    assert.ok(error instanceof Rejected);
    assert.deepEqual([error.code, error.kind], ["unknown-product", "query-rejected"]);
    assert.deepEqual(error.details, { product: "chair" });
    assert.equal(error.receipt, undefined);
    return true;
  });
  await assert.rejects(app.query("stok-of", LAMP), (error) => {
    assert.equal(error.code, "unknown-query");
    assert.equal(error.problem.suggestion, "stock-of");
    return true;
  });
  assert.equal(calls.length, 2);
  proxy.next = [{ answer: problem(503, { code: "lane-stopped", retry: "later" }) }];
  await assert.rejects(app.query("stock-of", LAMP), { code: "lane-stopped" });
  const controller = new AbortController();
  controller.abort();
  await assert.rejects(app.query("stock-of", LAMP, { signal: controller.signal }), { name: "AbortError" });
});

test("sequences of an app that was created anew are forgotten", async (t) => {
  const one = await serve(t, { modules: ["probe"] });
  const two = await serve(t, { modules: ["probe"] });
  const { calls, fetch } = recording();
  let target = one.url;
  const moving = (url, init) => fetch(url.replace(one.url, target), init);
  const app = connect(one.url, { fetch: moving });
  const first = await app.command("put", { key: "a", value: 1 });
  const { history } = app;

  target = two.url;
  calls.length = 0;
  // It was only the client that cared.
  assert.equal((await app.query("get", { key: "a" })).result, null);
  assert.deepEqual(calls.map((call) => call.status), [410, 200]);
  assert.deepEqual([app.history, app.sequence], [undefined, 0]);
  await app.command("put", { key: "b", value: 1 });
  assert.notEqual(app.history, history);

  // Now it is the caller, who has to know.
  target = one.url;
  const { sequence } = first;
  const changed = { code: "history-changed" };
  await assert.rejects(app.query("get", { key: "a" }, { atLeast: sequence }), changed);
  target = two.url;
  await app.command("put", { key: "b", value: 2 });
  target = one.url;
  await assert.rejects(app.command("put", { key: "a", value: 2 }, { basis: sequence }), changed);
  assert.equal((await app.query("get", { key: "a" })).result, 1);
});

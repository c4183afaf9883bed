/**
 * What is sent, and what is made of answers, without a server.
 *
 * @module
 */

import assert from "node:assert/strict";
import test from "node:test";

import { ChanceryError, connect, newId, Rejected } from "../../src/index.js";

/** A client whose requests are answered by a function. */
function answered(answer, options = {}) {
  const calls = [];
  const fetch = async (url, init) => {
    calls.push({ url, ...init });
    return answer(calls.length);
  };
  return { calls, app: connect("https://example.org/chancery/", { fetch, ...options }) };
}

const json = (document, headers = {}) => Response.json(document, { headers });

test("ids are of version 7, with the time in them, and each another", () => {
  const ids = Array.from({ length: 1_000 }, newId);
  const now = Date.now();
  for (const id of ids) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const ms = Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
    assert.ok(Math.abs(now - ms) < 60_000);
  }
  assert.equal(new Set(ids).size, 1_000);
});

test("requests go below the address, with what all of them have", async () => {
  const options = { app: "a b", token: "t", headers: { "x-gateway": "g" } };
  const { calls, app } = answered(() => json({ id: "i", status: "succeeded", result: 1 }), options);
  await app.command("buy", { n: 1 }, { id: "i", at: new Date(0) });
  const [{ url, method, headers, body }] = calls;
  assert.equal(url, "https://example.org/chancery/v1/apps/a%20b/commands/i");
  assert.equal(method, "PUT");
  assert.deepEqual(headers, {
    authorization: "Bearer t",
    "x-gateway": "g",
    prefer: "wait=20",
    "content-type": "application/json",
  });
  assert.deepEqual(JSON.parse(body), { name: "buy", input: { n: 1 }, at: "1970-01-01T00:00:00.000Z" });

  await app.query("stock of", { product: "lamp & co" });
  const input = encodeURIComponent('{"product":"lamp & co"}');
  const path = "https://example.org/chancery/v1/apps/a%20b/queries/stock%20of";
  assert.equal(calls[1].url, `${path}?input=${input}`);
  await app.query("all");
  assert.equal(calls[2].url, "https://example.org/chancery/v1/apps/a%20b/queries/all");
  await app.query("all", null);
  assert.equal(calls[3].url, "https://example.org/chancery/v1/apps/a%20b/queries/all?input=null");
});

test("an input that is no JSON is sent nowhere", async () => {
  const { calls, app } = answered(() => json({}));
  await assert.rejects(app.command("buy", { n: 1n }), TypeError);
  assert.equal(calls.length, 0);
});

test("an option that is not known is refused, and nothing is sent", async () => {
  const { calls, app } = answered(() => json({}));
  const refused = (call, option) => assert.rejects(call, { name: "TypeError", message: new RegExp(`\`${option}\`; there are `) });
  await refused(app.command("buy", {}, { atLeast: 7 }), "atLeast");
  await refused(app.receipt("i", { timeout: 7 }), "timeout");
  await refused(app.query("stock-of", {}, { atleast: 7 }), "atleast");
  await refused(app.live("stock-of", {}, { asOf: 7 }).next(), "asOf");
  await refused(app.events({ type: "order.*" }).next(), "type");
  await refused(app.eventsPage({ onCaughtUp: () => {} }), "onCaughtUp");
  assert.throws(() => connect("http://127.0.0.1:1", { tokens: 1 }), TypeError);
  assert.equal(calls.length, 0);
});

test("bytes come as bytes", async () => {
  const receipt = { id: "i", status: "succeeded", result_base64: "AQID/w==" };
  const { app } = answered((call) =>
    call === 1
      ? json(receipt)
      : new Response(Uint8Array.of(1, 2, 255), { headers: { "content-type": "application/octet-stream" } }),
  );
  const given = await app.command("draw", {});
  assert.deepEqual(given, { id: "i", status: "succeeded", result: Uint8Array.of(1, 2, 3, 255) });
  assert.deepEqual((await app.query("picture")).result, Uint8Array.of(1, 2, 255));
});

test("a command is asked for until it has an outcome", async () => {
  const failure = { code: "out-of-stock", message: "None is left.", details: { left: 0 } };
  const receipts = [
    { id: "i", sequence: 7, status: "accepted" },
    { id: "i", sequence: 7, status: "accepted" },
    { id: "i", sequence: 7, name: "buy", status: "rejected", failure },
  ];
  const { calls, app } = answered((call) => json(receipts[call - 1]));
  await assert.rejects(app.command("buy", {}, { id: "i" }), (error) => {
    assert.ok(error instanceof Rejected);
    const { code, message, details, id, outcome } = error;
    assert.deepEqual([code, message, details], ["out-of-stock", "None is left.", { left: 0 }]);
    assert.deepEqual([id, outcome, error.receipt], ["i", "executed", receipts[2]]);
    return true;
  });
  assert.deepEqual(
    calls.map(({ method, url }) => [method ?? "GET", url.split("/main/")[1]]),
    [["PUT", "commands/i"], ["GET", "commands/i?wait=20"], ["GET", "commands/i?wait=20"]],
  );

  const trapped = { code: "trapped", message: "unreachable" };
  const failing = answered(() => json({ id: "i", status: "failed", failure: trapped }));
  await assert.rejects(failing.app.command("buy", {}), (error) => {
    assert.ok(error instanceof ChanceryError && !(error instanceof Rejected));
    assert.deepEqual([error.code, error.kind, error.status], ["trapped", "failed", 500]);
    return true;
  });
});

test("projections that are behind are told", async () => {
  const headers = { "chancery-sequence": "12", "chancery-projections-behind": "a@3, b@4" };
  const { app } = answered(() => json({}, headers));
  const { behind, sequence } = await app.query("all");
  assert.deepEqual([behind, sequence], [[{ projection: "a", position: 3 }, { projection: "b", position: 4 }], 12]);
});

test("answers that nobody asks for any more are forgotten", async () => {
  const { calls, app } = answered((call) => json({ call }, { etag: `"${call}"`, "chancery-sequence": "1" }));
  for (let n = 0; n < 101; n += 1) await app.query("get", { n });
  await app.query("get", { n: 100 });
  assert.equal(calls.at(-1).headers["if-none-match"], '"101"');
  await app.query("get", { n: 0 });
  assert.equal(calls.at(-1).headers["if-none-match"], undefined);
});

test("a page of another origin is told what may keep the answer from it", async (t) => {
  const lost = () => Promise.reject(new TypeError("Failed to fetch"));
  const { app } = answered(lost, { retryFor: 0 });
  const told = async () => (await app.query("all").catch((error) => error)).message;
  assert.match(await told(), /Failed to fetch$/);
  t.after(() => delete globalThis.location);
  globalThis.location = { origin: "https://example.org" };
  assert.match(await told(), /Failed to fetch$/);
  globalThis.location = { origin: "https://shop.example" };
  assert.match(await told(), /is https:\/\/shop\.example among its `cors-origins`\?$/);
});

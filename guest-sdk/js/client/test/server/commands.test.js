/**
 * Commands against a real server: whatever is lost on the way, each runs once.
 *
 * @module
 */

import assert from "node:assert/strict";
import test from "node:test";

import { ChanceryError, connect, newId, Rejected } from "../../src/index.js";
import { problem, recording, serve, until } from "./harness.js";

const LAMPS = { product: "lamp", name: "Lamp", quantity: 100 };
const LAMP = { product: "lamp" };

async function shop(t, options) {
  const { server, proxy, url } = await serve(t);
  // A machine with much else to do may take long to start a server.
  const app = connect(url, { retryFor: 300_000, ...options });
  await app.command("add-product", LAMPS);
  return { server, proxy, url, app };
}

/** How many lamps were bought, asked of the server itself. */
async function bought(server) {
  const input = encodeURIComponent(JSON.stringify(LAMP));
  return 100 - (await server.get(`/queries/stock-of?input=${input}`)).left;
}

test("a command succeeds, and its receipt tells of it", async (t) => {
  const { app } = await shop(t);
  const receipt = await app.command("buy-product", { ...LAMP, buyer: "ada" });
  assert.equal(receipt.status, "succeeded");
  assert.equal(receipt.name, "buy-product");
  assert.equal(receipt.result.left, 99);
  assert.equal(receipt.events[0].type, "order.placed");
  assert.equal(app.sequence, receipt.sequence);
  assert.deepEqual(await app.receipt(receipt.id), receipt);
});

test("what is lost on the way is sent again with the same id, and runs once", async (t) => {
  const { calls, fetch } = recording();
  const { server, proxy, app } = await shop(t, { fetch });
  const ways = [
    [{ lose: "answer" }, { lose: "answer" }, { lose: "answer" }],
    [{ lose: "request" }, { lose: "answer" }, { lose: "request" }],
    [{ cutAfter: 1 }, { cutAfter: 20 }],
    // In the middle of the headers, and of the body.
    [{ cutAfter: 150 }, { cutAfter: 400 }],
  ];
  let number = 0;
  for (const way of ways) {
    calls.length = 0;
    proxy.next = [...way];
    const receipt = await app.command("buy-product", LAMP);
    number += 1;
    assert.equal(receipt.result.left, 100 - number);
    assert.equal(await bought(server), number);
    assert.equal(await server.count("buy-product"), number);
    assert.equal(calls.length, way.length + 1);
    for (const call of calls) {
      assert.equal(call.method, "PUT");
      assert.ok(call.url.endsWith(`/commands/${receipt.id}`));
      assert.equal(call.body, calls[0].body);
    }
  }
});

test("many commands over connections that are cut run once each", async (t) => {
  let retries = 0;
  const { server, proxy, app } = await shop(t, { onRetry: () => (retries += 1) });
  const ways = [{ lose: "answer" }, { lose: "request" }, {}, { cutAfter: 7 }, { cutAfter: 300 }];
  proxy.next = Array.from({ length: 100 }, (_, n) => ways[n % ways.length]);
  const buyers = Array.from({ length: 40 }, (_, n) => ({ ...LAMP, buyer: `${n}` }));
  const receipts = await Promise.all(buyers.map((buyer) => app.command("buy-product", buyer)));
  assert.equal(new Set(receipts.map((receipt) => receipt.sequence)).size, 40);
  assert.equal(await bought(server), 40);
  assert.equal(await server.count("buy-product"), 40);
  assert.ok(retries >= 60, `${retries}`);
});

test("a server that is killed and started again executes it once", async (t) => {
  const retries = [];
  const { server, proxy, app } = await shop(t, { onRetry: (error) => retries.push(error) });
  proxy.next = [{ lose: "answer" }];
  // It is logged, and may or may not be executed; then there is no server for a while.
  const receipt = app.command("buy-product", LAMP);
  await until("the answer is lost", () => retries.length > 0);
  await server.kill();
  await server.start();
  assert.equal((await receipt).result.left, 99);
  assert.equal(await bought(server), 1);
});

test("who is told to come back later does, and not sooner", async (t) => {
  const retries = [];
  const { calls, fetch } = recording();
  const onRetry = (error, next) => retries.push([error.code, next]);
  const { server, proxy, app } = await shop(t, { fetch, onRetry });
  calls.length = 0;
  const full = { code: "inbox-full", outcome: "not-logged", retry: "same-id" };
  const html = "HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nbusy";
  proxy.next = [{ answer: problem(503, full, { "retry-after": 1 }) }, { answer: html }];
  const started = performance.now();
  const receipt = await app.command("buy-product", LAMP);
  assert.ok(performance.now() - started >= 2_000);
  assert.equal(receipt.result.left, 99);
  assert.deepEqual(retries.map(([code]) => code), ["inbox-full", "odd-answer"]);
  for (const [, { waitMs }] of retries) assert.ok(waitMs >= 1_000, `${waitMs}`);
  assert.equal(new Set(calls.map((call) => call.url)).size, 1);
  assert.equal(await server.count("buy-product"), 1);
});

test("an outcome that is not known is found out", async (t) => {
  const { proxy, app } = await shop(t);
  const unknown = (status, code, retry) => problem(status, { code, outcome: "unknown", retry });
  proxy.next = [
    { answer: unknown(503, "outcome-unknown", "same-id") },
    { answer: unknown(500, "internal", "later") },
    { answer: problem(429, { code: "slow-down" }) },
  ];
  assert.equal((await app.command("buy-product", LAMP)).result.left, 99);
});

test("what will not pass is thrown at once", async (t) => {
  const { calls, fetch } = recording();
  const { proxy, app } = await shop(t, { fetch });
  const refused = async (code, name, input, options) => {
    calls.length = 0;
    await assert.rejects(app.command(name, input, options), (error) => {
      assert.ok(error instanceof ChanceryError && !(error instanceof Rejected));
      assert.equal(error.code, code);
      assert.equal(error.outcome, "not-logged");
      return true;
    });
    assert.equal(calls.length, 1);
  };
  await refused("invalid-input", "buy-product", { product: 7 });
  await refused("unknown-command", "buy-products", LAMP);
  await refused("invalid-id", "buy-product", LAMP, { id: "7" });
  await refused("basis-ahead", "buy-product", LAMP, { basis: 999 });
  proxy.next = [{ answer: problem(500, { code: "internal", outcome: "not-logged", retry: "later" }) }];
  await refused("internal", "buy-product", LAMP);
});

test("the handler's no is thrown with all that it said", async (t) => {
  const { app, proxy } = await shop(t);
  // The second answer is the receipt of the first.
  proxy.next = [{ lose: "answer" }];
  const error = await app.command("buy-product", { product: "chair" }).catch((thrown) => thrown);
  assert.ok(error instanceof Rejected && error instanceof ChanceryError && error instanceof Error);
  assert.equal(error.code, "unknown-product");
  assert.equal(error.message, "There is no product `chair`.");
  assert.deepEqual(error.details, { product: "chair" });
  assert.equal(error.kind, "rejected");
  assert.equal(error.outcome, "executed");
  const { status, name, failure, sequence } = error.receipt;
  assert.deepEqual([status, name, failure.code], ["rejected", "buy-product", "unknown-product"]);
  const receipt = await app.receipt(error.id);
  assert.deepEqual([receipt.sequence, receipt.failure], [sequence, failure]);
});

test("who gives up is told that nobody knows, and the id to ask with", async (t) => {
  const { server, proxy, app, url } = await shop(t);
  const impatient = connect(url, { retryFor: 0 });
  proxy.next = [{ lose: "answer" }];
  let id;
  await assert.rejects(impatient.command("buy-product", LAMP), (error) => {
    ({ id } = error);
    assert.deepEqual([error.code, error.outcome, error.retry], ["no-answer", "unknown", "same-id"]);
    assert.ok(error.cause instanceof Error);
    return true;
  });
  const receipt = await app.command("buy-product", LAMP, { id });
  assert.equal(receipt.id, id);
  assert.equal(await bought(server), 1);
  await assert.rejects(app.command("add-product", LAMPS, { id }), { code: "id-reused" });
});

test("who does not wait is told when it is logged, and can wait later", async (t) => {
  const { url } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  const id = newId();
  const slow = await app.command("spin", { iterations: 20_000_000 }, { id, wait: 0 });
  // It may be done already on a quick machine.
  assert.ok(["accepted", "succeeded"].includes(slow.status));
  assert.equal(slow.id, id);
  const settled = await app.receipt(id, { wait: 60 });
  assert.equal(settled.status, "succeeded");
  assert.equal((await app.command("spin", { iterations: 20_000_000 })).status, "succeeded");
  await assert.rejects(app.receipt(newId()), { code: "unknown-receipt" });
});

test("a rejection that came after the first answer is thrown as any other", async (t) => {
  const { url } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  const busy = app.command("spin", { iterations: 20_000_000 });
  const no = app.command("reject", { code: "no", message: "No.", details: { a: 1 } }, { wait: 1 });
  const outcome = await no.then(
    (receipt) => app.receipt(receipt.id, { wait: 60 }).then((late) => late.failure),
    (error) => ({ code: error.code, message: error.message, details: error.details }),
  );
  assert.deepEqual(outcome, { code: "no", message: "No.", details: { a: 1 } });
  await assert.rejects(app.command("reject", { code: "no", message: "No." }), Rejected);
  await busy;
});

test("everything that a command can say arrives", async (t) => {
  const { url } = await serve(t, { modules: ["probe"] });
  const app = connect(url, { token: "t", headers: { "x-gateway": "g" } });
  const { sequence } = await app.command("put", { key: "a", value: 1 });
  const { result } = await app.command("echo", { n: 1 }, {
    basis: sequence,
    unchanged: [{ table: "items", prefix: "a" }],
    correlationId: "order-7",
    causationId: "click-9",
    metadata: { by: "ada" },
  });
  assert.deepEqual(
    [result.basis, result.correlation_id, result.causation_id, JSON.parse(result.metadata)],
    [sequence, "order-7", "click-9", { by: "ada" }],
  );
  await app.command("put", { key: "a", value: 2 });
  const stale = { basis: sequence, unchanged: [{ table: "items", key: "a" }] };
  await assert.rejects(app.command("echo", {}, stale), { code: "stale", name: "Rejected" });

  const at = new Date("2100-01-01T00:00:00Z");
  const timer = await app.command("echo", {}, { at });
  assert.equal(timer.kind, "schedule");
  assert.equal(timer.result.due_ms, at.getTime());
});

test("a command that is called off is sent no more", async (t) => {
  const { server, proxy, url } = await shop(t);
  const reason = new Error("changed my mind");
  await assert.rejects(
    connect(url).command("buy-product", LAMP, { signal: AbortSignal.abort(reason) }),
    reason,
  );
  assert.equal(await bought(server), 0);

  // While it is waited for an answer.
  const stopping = new AbortController();
  proxy.next = [{ hold: true }];
  const waiting = connect(url).command("buy-product", LAMP, { signal: stopping.signal });
  await until("it was sent", () => proxy.next.length === 0);
  stopping.abort(reason);
  await assert.rejects(waiting, reason);

  // Between two tries.
  const controller = new AbortController();
  const onRetry = () => controller.abort(reason);
  const app = connect(url, { onRetry });
  proxy.next = [{ lose: "request" }, { lose: "request" }];
  await assert.rejects(app.command("buy-product", LAMP, { signal: controller.signal }), reason);
  assert.equal(proxy.next.length, 1);
  assert.equal(await bought(server), 0);
});

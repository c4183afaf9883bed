/**
 * Events against a real server: none twice, none missed, whatever becomes of connections
 * and of the server.
 *
 * @module
 */

import assert from "node:assert/strict";
import test from "node:test";

import { ChanceryError, connect } from "../../src/index.js";
import { problem, serve, until } from "./harness.js";

async function emit(app, count, type = "order.placed", subject = "s") {
  for (let n = 0; n < count; n += 1) await app.command("emit", { type, subject, data: { n } });
}

/** Reads so many. */
async function take(events, count) {
  const taken = [];
  for await (const event of events) {
    taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

const positions = (events) => events.map((event) => event.position);
const upTo = (last) => Array.from({ length: last }, (_, n) => n + 1);

test("events that there are come first, then those to come", async (t) => {
  const { url, proxy } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  await emit(app, 3);
  const caughtUp = [];
  const events = app.events({ onCaughtUp: (position) => caughtUp.push(position) });
  const first = await take({ [Symbol.asyncIterator]: () => ({ next: () => events.next() }) }, 3);
  assert.deepEqual(positions(first), [1, 2, 3]);
  assert.deepEqual(caughtUp, []);
  const { data, type, subject, cursor, sequence } = first[2];
  assert.deepEqual([data, type, subject, sequence], [{ n: 2 }, "order.placed", "s", app.sequence]);
  const next = events.next();
  await until("it has caught up", () => caughtUp.length > 0);
  await emit(app, 1);
  assert.equal((await next).value.position, 4);
  assert.deepEqual(caughtUp, [3]);
  await events.return();
  await until("the reader has hung up", () => proxy.open <= 1);

  // Where somebody else goes on.
  assert.deepEqual(positions(await take(app.events({ after: cursor }), 1)), [4]);
  assert.deepEqual(positions(await take(app.events({ after: 1 }), 3)), [2, 3, 4]);
});

test("only those that are wanted come", async (t) => {
  const { url } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  await emit(app, 1, "order.placed", "a");
  await emit(app, 1, "order.paid", "b");
  await emit(app, 1, "mail.sent", "a");
  const { time } = (await app.eventsPage()).events[0];
  const all = (options) => take(app.events(options), 2);
  assert.deepEqual(positions(await all({ types: "order.*" })), [1, 2]);
  assert.deepEqual(positions(await all({ types: ["order.paid", "mail.**"] })), [2, 3]);
  assert.deepEqual(positions(await all({ subject: "a" })), [1, 3]);
  assert.deepEqual(positions(await all({ fromTime: new Date(time) })), [1, 2]);
  const toCome = take(app.events({ after: "last" }), 1);
  let found = [];
  while (found.length === 0) {
    await emit(app, 1, "later");
    found = await Promise.race([toCome, new Promise((resolve) => setTimeout(resolve, 20, []))]);
  }
  assert.equal(found[0].type, "later");
  assert.ok(found[0].position > 3);
});

test("connections that are cut lose and repeat nothing", async (t) => {
  const { url, server, proxy } = await serve(t, { modules: ["probe"] });
  let retries = 0;
  const reader = connect(url, { retryFor: 300_000, onRetry: () => (retries += 1) });
  // In the middle of the headers, of a message, and between two.
  const cuts = [100, 900, 1_500, 1_501, 1_777, 2_400, 3_000, 3_601];
  proxy.next = Array.from({ length: 24 }, (_, n) => ({ cutAfter: cuts[n % cuts.length] }));
  const reading = take(reader.events({ types: "order.**" }), 60);
  // Past the proxy.
  await emit(connect(new URL(server.path("")).origin), 60);
  const events = await reading;
  assert.deepEqual(positions(events), upTo(60));
  assert.deepEqual(events.map((event) => event.data.n), upTo(60).map((n) => n - 1));
  assert.ok(retries >= 10, `${retries}`);
});

test("a server that is killed and started again is followed on", async (t) => {
  const { url, server, proxy } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  const caughtUp = [];
  const events = app.events({ onCaughtUp: (position) => caughtUp.push(position) });
  const reading = take(events, 30);
  for (let round = 0; round < 2; round += 1) {
    await emit(app, 10);
    await server.kill();
    await server.start();
  }
  proxy.next = [{ answer: problem(503, { code: "opening", retry: "same-id" }, { "retry-after": "1" }) }];
  await server.end();
  await server.start();
  await emit(app, 10);
  assert.deepEqual(positions(await reading), upTo(30));
  assert.ok(caughtUp.length <= 1);
});

test("who is slow is waited for", async (t) => {
  const { url, proxy } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  await emit(app, 20);
  const seen = [];
  for await (const { position } of app.events()) {
    seen.push(position);
    if (position % 7 === 0) proxy.cut();
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (seen.length === 20) break;
  }
  assert.deepEqual(seen, upTo(20));
});

test("what will not pass ends it", async (t) => {
  const one = await serve(t, { modules: ["probe"] });
  const two = await serve(t, { modules: ["probe"] });
  let target = one.url;
  const fetch = (url, init) => globalThis.fetch(url.replace(one.url, target), init);
  const app = connect(one.url, { fetch });
  await assert.rejects(take(app.events({ after: 99 }), 1), { code: "event-ahead" });
  await assert.rejects(take(app.events({ types: "a..b" }), 1), { code: "invalid-request" });
  await assert.rejects(take(app.events({ after: "0/7" }), 1), { code: "invalid-request" });
  await emit(app, 1);
  const events = app.events();
  const { cursor } = (await events.next()).value;
  const next = events.next();
  // Another app, or one that was restored: its positions mean other things.
  target = two.url;
  one.proxy.cut();
  const changed = { code: "history-changed", name: "ChanceryError" };
  await assert.rejects(next, changed);
  await assert.rejects(take(app.events({ after: cursor }), 1), changed);
  await assert.rejects(app.eventsPage({ after: cursor }), changed);

  target = one.url;
  one.proxy.next = [{ answer: "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi" }];
  await assert.rejects(take(app.events(), 1), { code: "odd-answer" });
  const failed = 'event: $failed\ndata: {"code":"events-gone","detail":"they are gone","first":7}\n\n';
  const head = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${failed.length}\r\n\r\n`;
  one.proxy.next = [{ answer: head + failed }];
  await assert.rejects(take(app.events(), 1), (error) => {
    assert.ok(error instanceof ChanceryError);
    assert.deepEqual([error.code, error.message, error.problem.first], ["events-gone", "they are gone", 7]);
    return true;
  });
});

test("a first connection that fails is tried for as long as the client was told", async (t) => {
  const { url, proxy } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  await emit(app, 1);
  proxy.next = [{ lose: "request" }, { lose: "answer" }, {}];
  assert.deepEqual(positions(await take(app.events(), 1)), [1]);
  proxy.next = [{ lose: "request" }];
  await assert.rejects(take(connect(url, { retryFor: 0 }).events(), 1), { code: "no-answer" });
});

test("a reader that is told to stop stops", async (t) => {
  const { url, proxy } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("enough");
  let hasCaughtUp = false;
  const events = app.events({ signal, onCaughtUp: () => (hasCaughtUp = true) });
  const next = events.next();
  await until("it waits", () => hasCaughtUp);
  controller.abort(reason);
  await assert.rejects(next, reason);
  assert.deepEqual(await events.next(), { done: true, value: undefined });
  await assert.rejects(take(app.events({ signal }), 1), reason);
  await until("nobody listens", () => proxy.open <= 1);

  // With events at hand that it has not looked at.
  await emit(app, 3);
  const stopping = new AbortController();
  const some = app.events({ signal: stopping.signal });
  assert.equal((await some.next()).value.position, 1);
  stopping.abort(reason);
  await assert.rejects(some.next(), reason);
});

test("pages lead from one to the next, and back", async (t) => {
  const { url } = await serve(t, { modules: ["probe"] });
  const app = connect(url);
  await emit(app, 5);
  const first = await app.eventsPage({ limit: 2 });
  assert.deepEqual([positions(first.events), first.last], [[1, 2], 5]);
  const second = await app.eventsPage({ limit: 2, after: first.next });
  assert.deepEqual(positions(second.events), [3, 4]);
  const rest = await app.eventsPage({ after: second.events[1].cursor });
  assert.deepEqual([positions(rest.events), rest.next], [[5], null]);
  const newest = await app.eventsPage({ order: "desc", limit: 2, before: 5 });
  assert.deepEqual(positions(newest.events), [4, 3]);
  assert.equal((await app.eventsPage({ toTime: 0 })).events.length, 0);
});

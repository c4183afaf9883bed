/**
 * What is tried again, when, and for how long.
 *
 * @module
 */

import assert from "node:assert/strict";
import test from "node:test";

import { errorOf, unanswered } from "../../src/errors.js";
import { mayPass, pause, retrying, waitMs } from "../../src/retry.js";

const problem = (members, retryAfterMs) => Object.assign(errorOf({ code: "c", ...members }), { retryAfterMs });

test("what passes by itself is told from what does not", () => {
  const passing = [
    unanswered("no-answer", "d"),
    unanswered("odd-answer", "d", { status: 502 }),
    unanswered("odd-answer", "d", { status: 429 }),
    problem({ status: 503, retry: "same-id" }),
    problem({ status: 408, retry: "same-id" }),
    problem({ status: 503, retry: "later" }, 0),
    problem({ status: 500, retry: "later", outcome: "unknown" }),
    problem({ status: 429 }),
  ];
  for (const error of passing) assert.ok(mayPass(error), JSON.stringify(error.problem));
  const lasting = [
    unanswered("odd-answer", "d", { status: 200 }),
    unanswered("odd-answer", "d", { status: 404 }),
    problem({ status: 503, retry: "later" }),
    problem({ status: 500, retry: "later", outcome: "not-logged" }),
    problem({ status: 409, retry: "new-id", outcome: "executed" }),
    problem({ status: 422, retry: "no" }),
    // The server knows nothing of it: not a case for sending it again unasked.
    problem({ status: 404, retry: "no", outcome: "unknown" }),
    // A handler may call its refusals what it likes.
    problem({ type: "/errors/rejected", code: "no-answer", retry: "new-id" }),
    new TypeError("a mistake of ours"),
  ];
  for (const error of lasting) assert.ok(!mayPass(error), String(error));
});

test("waits grow, are scattered, and are never shorter than the server wants", () => {
  for (let failures = 1; failures < 40; failures += 1) {
    const most = Math.min(100 * 2 ** (failures - 1), 5_000);
    const waits = Array.from({ length: 50 }, () => waitMs(failures));
    for (const wait of waits) assert.ok(wait >= most / 2 && wait <= most, `${failures}: ${wait}`);
    assert.ok(new Set(waits).size > 25);
    assert.ok(waitMs(failures, 2_000) > 2_000);
  }
});

test("it is tried until it succeeds, or for so long", async () => {
  const passing = () => problem({ status: 503, retry: "same-id" });
  let tries = 0;
  const told = [];
  const onRetry = (error, next) => told.push([error.status, next.failures]);
  const third = async () => {
    tries += 1;
    if (tries < 3) throw passing();
    return tries;
  };
  assert.equal(await retrying(third, { retryFor: 60_000, onRetry }), 3);
  assert.deepEqual(told, [[503, 1], [503, 2]]);

  tries = 0;
  const never = async () => {
    tries += 1;
    throw passing();
  };
  await assert.rejects(retrying(never, { retryFor: 0 }), { status: 503 });
  assert.equal(tries, 1);
  await assert.rejects(retrying(never, { retryFor: 400 }), { status: 503 });
  assert.ok(tries > 2);
});

test("a pause ends when its caller wants", async () => {
  const controller = new AbortController();
  const paused = pause(3_600_000, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(paused, /enough/);
  await assert.rejects(pause(3_600_000, controller.signal), /enough/);
});

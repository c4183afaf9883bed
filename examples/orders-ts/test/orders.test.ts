// The promises of the process: each order ends once, whatever happens on its way, and the stock
// adds up. They are those of examples/orders/src/tests.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { given, type Given } from "chancery-sdk/testing";

import orders from "../src/orders.js";
import type { tables } from "../src/tables.js";
import type { Audit, Payment, PlaceOrder, Status } from "../src/types.js";

type State = Given<typeof tables>;

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const PAYMENTS = ["card", "declined-card", "invoice"] as const;
const STEPS = ["reserve-stock", "take-payment", "ship-order", "release-stock", "cancel-unpaid"];

const lamps = (available: number): State =>
  given(orders).row("stock", "lamp", {
    name: "Desk lamp",
    price_cents: 250,
    added: available,
    available,
    reserved: 0,
    shipped: 0,
  });

const orderOf = (order: string, quantity: number, payment: Payment): PlaceOrder => ({
  order,
  buyer: "ann",
  product: "lamp",
  quantity,
  payment,
});

const of = (order: string) => ({ order });

const status = (state: State, number: string): Status => state.query("order", of(number)).status;

const isFinal = (status: Status) => ["shipped", "refused", "cancelled"].includes(status);

function sound(state: State): Audit {
  const audit: Audit = state.query("audit");
  assert.ok(audit.is_sound, JSON.stringify(audit));
  return audit;
}

test("an order that is paid is shipped", () => {
  const state = lamps(3).when("place-order", orderOf("1", 2, "card")).follow();
  assert.equal(status(state, "1"), "shipped");
  const { is_settled, stock } = sound(state);
  assert.ok(is_settled);
  assert.deepEqual([stock["lamp"]?.available, stock["lamp"]?.shipped], [1, 2]);
  assert.deepEqual(state.pending(), [], "the timer is stopped");
  const summary = state.query("summary", of("1"));
  assert.deepEqual(
    summary.steps.map(({ what }: { what: string }) => what),
    ["order.placed", "stock.reserved", "payment.taken", "order.shipped"],
  );
  assert.deepEqual([summary.product, summary.total_cents], ["Desk lamp", 500]);
  assert.equal(summary.ended, "shipped: it is on its way");
});

test("each step leads to the next", () => {
  lamps(3)
    .when("place-order", orderOf("1", 1, "card"))
    .thenCommand("reserve-stock", of("1"))
    .when("reserve-stock", of("1"))
    .thenOk("reserved")
    .thenCommand("take-payment", of("1"))
    .when("take-payment", of("1"))
    .thenCommand("ship-order", of("1"))
    .when("ship-order", of("1"))
    .thenNoCommand();
  given(orders)
    .whenEvent({ type: "payment.failed", data: of("7") })
    .thenCommand("release-stock", of("7"))
    .whenEvent({ type: "payment.awaited", data: of("7") })
    .thenNoCommand();
});

test("a payment that fails puts the stock back", () => {
  const state = lamps(2).when("place-order", orderOf("1", 2, "declined-card")).follow();
  assert.equal(status(state, "1"), "cancelled");
  const { stock } = sound(state);
  assert.deepEqual([stock["lamp"]?.available, stock["lamp"]?.reserved], [2, 0]);
  assert.deepEqual(state.pending(), []);
  const again = state.when("place-order", orderOf("2", 2, "card")).follow();
  assert.equal(status(again, "2"), "shipped", "others can have it");
});

test("what is not there is refused", () => {
  const state = lamps(2)
    .when("place-order", orderOf("1", 2, "invoice"))
    .when("place-order", orderOf("2", 1, "card"))
    .follow();
  assert.deepEqual([status(state, "1"), status(state, "2")], ["reserved", "refused"]);
  assert.equal(sound(state).is_settled, false);
  state.when("place-order", orderOf("1", 1, "card")).thenRejected("order-exists");
  const desk = { ...orderOf("1", 1, "card"), product: "desk" };
  lamps(1).when("place-order", desk).thenRejected("unknown-product");
});

test("an order not paid within its time is cancelled", () => {
  const placed = lamps(2).when("place-order", orderOf("1", 2, "invoice")).follow();
  const waiting = placed.wait(14 * MINUTE);
  assert.equal(status(waiting, "1"), "reserved");
  const late = waiting.wait(2 * MINUTE);
  assert.equal(status(late, "1"), "cancelled");
  assert.equal(sound(late).stock["lamp"]?.available, 2);
  late.when("pay-order", of("1")).thenRejected("not-payable").thenDetails({ status: "cancelled" });
});

test("one that is paid in time is shipped", () => {
  const placed = lamps(2).when("place-order", orderOf("1", 2, "invoice")).follow();
  const paid = placed.wait(MINUTE).when("pay-order", of("1")).follow();
  assert.equal(status(paid.wait(DAY), "1"), "shipped");
});

// A timer that has fired already is not stopped any more, a dead letter is retried when all is
// over: each step is tried in each state.
test("steps that come too late or twice change nothing", () => {
  for (const payment of PAYMENTS) {
    const placed = lamps(5).when("place-order", orderOf("1", 2, payment)).given();
    const ended = placed.follow().wait(DAY);
    for (const step of STEPS) {
      ended.when(step, of("1")).thenOk(status(ended, "1")).thenUnchanged();
    }
    // The timer before each of the steps.
    let state = placed;
    for (let step = 0; step < 4; step += 1) {
      const late = state.when("cancel-unpaid", of("1")).follow().wait(DAY);
      assert.ok(isFinal(status(late, "1")) && sound(late).is_settled);
      state.when("cancel-unpaid", of("nobody")).thenRejected("unknown-order");
      state = state.when("reserve-stock", of("1")).when("take-payment", of("1")).given();
    }
  }
});

test("many orders at once add up", () => {
  let state = lamps(20);
  for (let number = 0; number < 30; number += 1) {
    const order = orderOf(String(number), (number % 4) + 1, PAYMENTS[number % 3]!);
    state = state.when("place-order", order).given();
    sound(state);
  }
  state = state.follow();
  assert.equal(sound(state).is_settled, false, "some are to be paid on invoice");
  const audit = sound(state.wait(DAY));
  assert.ok(audit.is_settled && audit.by_status.shipped! > 0);
  assert.equal(audit.orders, 30);
});

// Points, with the other module's rows and events given by the tests.

import { test } from "node:test";

import { given } from "chancery-sdk/testing";

import loyalty from "../loyalty.js";

const shipped = { buyer: "ann", total_cents: 599, status: "shipped" };

test("what was shipped is worth points", () => {
  given(loyalty)
    .foreignRow("orders", "1", shipped)
    .whenEvent({ type: "order.shipped", data: { order: "1" } })
    .thenCommand("add-points", { order: "1" })
    .when("add-points", { order: "1" })
    .thenRow("points", "ann", 5)
    .thenEvent("points.earned", { buyer: "ann", points: 5 })
    .thenQuery("customer", { buyer: "ann" }, {
      buyer: "ann",
      points: 5,
      orders: [{ number: "1", status: "shipped", total_cents: 599 }],
    });
});

test("what is on its way to nobody is worth none", () => {
  given(loyalty)
    .foreignRow("orders", "1", { ...shipped, status: "paid" })
    .when("add-points", { order: "1" })
    .thenRejected("not-shipped")
    .when("add-points", { order: "2" })
    .thenRejected("unknown-order")
    .thenUnchanged();
});

test("points are spent once", () => {
  given(loyalty)
    .row("points", "ann", 5)
    .when("spend-points", { buyer: "ann", points: 4 })
    .thenOk(1)
    .when("spend-points", { buyer: "ann", points: 4 })
    .thenRejected("too-few-points")
    .thenUnchanged();
});

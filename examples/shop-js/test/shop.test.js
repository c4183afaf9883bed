// The shop's promises: those of examples/shop/src/tests.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { given } from "chancery-sdk/testing";

import shop from "../shop.js";

const product = (left) => ({ name: "Desk lamp", left });
const lamps = (left) => given(shop).row("stock", "lamp", product(left));
const buy = (buyer) => ({ product: "lamp", buyer });

test("the last one is sold once", () => {
  lamps(1)
    .when("buy-product", buy("ann"))
    .thenRow("stock", "lamp", product(0))
    .when("buy-product", buy("bob"))
    .thenRejected("out-of-stock")
    .thenDetails({ product: "lamp" })
    .thenNoEvent()
    .thenUnchanged();
});

test("an order is kept and announced", () => {
  const outcome = lamps(3).when("buy-product", buy("ann"));
  const { order, left } = outcome.result;
  assert.equal(left, 2);
  outcome
    .thenEvent("order.placed", { order, product: "lamp", buyer: "ann" })
    .thenRow("orders", ["lamp", 1], { id: order, buyer: "ann" })
    .thenQuery("stock-of", { product: "lamp" }, product(2));
  assert.equal(outcome.events[0].subject, "product/lamp");
});

test("what is not on sale cannot be bought", () => {
  given(shop)
    .when("buy-product", buy("ann"))
    .thenRejected("unknown-product")
    .thenDetails({ product: "lamp" });
});

test("it works as over HTTP", () => {
  const orders = given(shop)
    .when("add-product", { product: "lamp", name: "Lamp", quantity: 2 })
    .thenOk({ name: "Lamp", left: 2 })
    .when("buy-product", { product: "lamp" })
    .when("buy-product", { product: "lamp", buyer: "bob" })
    .given()
    .query("orders-of", { product: "lamp", limit: 1 });
  assert.deepEqual(orders, [{ order: orders[0].order, buyer: "bob", sequence: 3 }]);
});

// The shop's promises, under plain `node --test`: no server and no sandbox.

import { test } from "node:test";

import { given } from "chancery-sdk/testing";

import shop from "../shop.js";

const lamps = (left) => given(shop).row("stock", "lamp", { name: "Lamp", left });

test("the last one is sold once", () => {
  lamps(1)
    .when("buy-product", { product: "lamp", buyer: "ann" })
    .thenOk({ product: "lamp", left: 0 })
    .thenEvent("order.placed", { product: "lamp", buyer: "ann" })
    .when("buy-product", { product: "lamp", buyer: "bob" })
    .thenRejected("out-of-stock")
    .thenNoEvent()
    .thenUnchanged();
});

test("what is left can be asked", () => {
  lamps(3)
    .when("buy-product", { product: "lamp" })
    .thenQuery("stock-of", { product: "lamp" }, { name: "Lamp", left: 2 });
});

// What people ask for.

import { reject } from "chancery-sdk";

import { pay } from "./steps.js";
import { unknownOrder, unknownProduct, type Tx } from "./tables.js";
import type { AddStock, Of, Order, Placed, PlaceOrder, Stock } from "./types.js";

/** How long an order may stay unpaid, unless it says otherwise: a quarter of an hour. */
const PAY_WITHIN_MS = 15 * 60 * 1_000;

/** Puts a product on sale and says how many there are now. */
export function addStock(tx: Tx, { product, name, price_cents, quantity }: AddStock): Stock {
  const before = tx.stock.get(product) ?? { added: 0, available: 0, reserved: 0, shipped: 0 };
  const stock = {
    ...before,
    name,
    price_cents,
    added: before.added + quantity,
    available: before.available + quantity,
  };
  tx.stock.put(product, stock);
  return stock;
}

/** Takes down an order, and sees to it that it does not stay unpaid for ever. */
export function placeOrder(tx: Tx, input: PlaceOrder): Order {
  const { order: number, buyer, product, quantity, payment } = input;
  if (tx.orders.has(number)) {
    reject("order-exists", `There is an order \`${number}\`.`, { order: number });
  }
  const stock = tx.stock.get(product) ?? unknownProduct(product);
  const total_cents = stock.price_cents * quantity;

  const late = tx.timeMs + (input.pay_within_ms ?? PAY_WITHIN_MS);
  const timer = tx.schedule(late, "cancel-unpaid", { order: number } satisfies Of);

  const placed: Placed = { order: number, buyer, product, product_name: stock.name, quantity, total_cents };
  tx.emit("order.placed", { subject: `order/${number}`, data: placed });
  const order: Order = {
    buyer,
    product,
    quantity,
    total_cents,
    payment,
    status: "placed",
    timer,
    n_ends: 0,
  };
  tx.orders.put(number, order);
  return order;
}

/** Takes the money for an order that is to be paid on invoice. */
export function payOrder(tx: Tx, { order: number }: Of): Order {
  const order = tx.orders.get(number) ?? unknownOrder(number);
  const { status } = order;
  if (status !== "reserved") {
    reject("not-payable", `The order is ${status}; only a reserved one can be paid.`, { status });
  }
  return pay(tx, number, order);
}

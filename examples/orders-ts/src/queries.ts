// What can be asked.

import { unknownOrder, type Now } from "./tables.js";
import type { Audit, Of, Order, Status, Summary } from "./types.js";

const FINAL: readonly Status[] = ["shipped", "refused", "cancelled"];
const RESERVED: readonly Status[] = ["reserved", "paid", "payment-failed"];

/** How many faults are named. */
const FAULTS_MAX = 10;

/** An order, as the process has it. */
export function order(state: Now, { order }: Of): Order {
  return state.orders.get(order) ?? unknownOrder(order);
}

/** An order, as its buyer wants to see it. */
export function summary(state: Now, { order }: Of): Summary {
  return state.orderSummaries.get(order) ?? unknownOrder(order);
}

/** Looks at every order and all stock. */
export function audit(state: Now): Audit {
  const by_status: Audit["by_status"] = {};
  const ordered = new Map<string, { reserved: number; shipped: number }>();
  const faults: string[] = [];
  let orders = 0;
  for (const [number, { status, n_ends, product, quantity }] of state.orders.scan()) {
    orders += 1;
    by_status[status] = (by_status[status] ?? 0) + 1;
    const ends = FINAL.includes(status) ? 1 : 0;
    if (n_ends !== ends && faults.length < FAULTS_MAX) faults.push(number);
    const said = ordered.get(product) ?? { reserved: 0, shipped: 0 };
    if (RESERVED.includes(status)) said.reserved += quantity;
    if (status === "shipped") said.shipped += quantity;
    ordered.set(product, said);
  }
  const stock: Audit["stock"] = {};
  for (const [product, { added, available, reserved, shipped }] of state.stock.scan()) {
    const said = ordered.get(product) ?? { reserved: 0, shipped: 0 };
    const adds_up =
      added === available + reserved + shipped && reserved === said.reserved && shipped === said.shipped;
    stock[product] = { added, available, reserved, shipped, adds_up };
  }
  const is_settled = Object.keys(by_status).every((status) => FINAL.includes(status as Status));
  const is_sound = faults.length === 0 && Object.values(stock).every((product) => product.adds_up);
  return { orders, by_status, is_settled, faults, stock, is_sound };
}

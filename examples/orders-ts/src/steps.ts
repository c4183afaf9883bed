// The steps of an order: commands that reactions and the timer have submitted.
//
// Each does something in one state of the order only, and nothing in the others.

import { unknownOrder, unknownProduct, type Tx } from "./tables.js";
import type { Ended, Of, Order, Status, Step, Stock } from "./types.js";

/** Sets aside what was ordered, if there is enough; otherwise the order is refused. */
export function reserveStock(tx: Tx, { order: number }: Of): Status {
  const order = find(tx, number);
  if (order.status !== "placed") return order.status;
  const stock = stockOf(tx, order);
  const available = stock.available - order.quantity;
  if (available < 0) {
    const reason = `only ${stock.available} of ${stock.name} are left`;
    return end(tx, number, stopTimer(tx, order), "refused", reason);
  }
  tx.stock.put(order.product, { ...stock, available, reserved: stock.reserved + order.quantity });
  tx.orders.put(number, { ...order, status: "reserved" });
  emit(tx, "stock.reserved", number);
  return "reserved";
}

/**
 * Takes the money, unless it comes later. A real shop would have somebody outside read
 * `stock.reserved` and submit what came of it.
 */
export function takePayment(tx: Tx, { order: number }: Of): Status {
  const order = find(tx, number);
  if (order.status !== "reserved") return order.status;
  switch (order.payment) {
    case "card":
      return pay(tx, number, order).status;
    case "invoice":
      emit(tx, "payment.awaited", number);
      return order.status;
    case "declined-card": {
      const status = "payment-failed";
      tx.orders.put(number, { ...stopTimer(tx, order), status });
      emit(tx, "payment.failed", number);
      return status;
    }
  }
}

/** Sends what is paid. */
export function shipOrder(tx: Tx, { order: number }: Of): Status {
  const order = find(tx, number);
  if (order.status !== "paid") return order.status;
  const stock = stockOf(tx, order);
  tx.stock.put(order.product, {
    ...stock,
    reserved: stock.reserved - order.quantity,
    shipped: stock.shipped + order.quantity,
  });
  return end(tx, number, order, "shipped", "it is on its way");
}

/** Puts back what was set aside for an order that could not be paid: undoes `reserve-stock`. */
export function releaseStock(tx: Tx, { order: number }: Of): Status {
  const order = find(tx, number);
  if (order.status !== "payment-failed") return order.status;
  putBack(tx, order);
  return end(tx, number, order, "cancelled", "the payment failed");
}

/** Cancels an order whose time is over, if it is still not paid. */
export function cancelUnpaid(tx: Tx, { order: number }: Of): Status {
  const order = find(tx, number);
  // Others were paid at the last moment, or given up for another reason.
  if (order.status !== "placed" && order.status !== "reserved") return order.status;
  if (order.status === "reserved") putBack(tx, order);
  return end(tx, number, { ...order, timer: null }, "cancelled", "it was not paid in time");
}

/** Takes the money for an order that is reserved. */
export function pay(tx: Tx, number: string, order: Order): Order {
  const paid: Order = { ...stopTimer(tx, order), status: "paid" };
  tx.orders.put(number, paid);
  emit(tx, "payment.taken", number);
  return paid;
}

function find(tx: Tx, number: string): Order {
  return tx.orders.get(number) ?? unknownOrder(number);
}

function stockOf(tx: Tx, { product }: Order): Stock {
  return tx.stock.get(product) ?? unknownProduct(product);
}

function putBack(tx: Tx, order: Order) {
  const stock = stockOf(tx, order);
  tx.stock.put(order.product, {
    ...stock,
    reserved: stock.reserved - order.quantity,
    available: stock.available + order.quantity,
  });
}

/** If it has fired already, its command comes too late to do anything. */
function stopTimer(tx: Tx, order: Order): Order {
  if (order.timer !== null) tx.cancelTimer(order.timer);
  return { ...order, timer: null };
}

function end(tx: Tx, number: string, order: Order, status: Status, reason: string): Status {
  tx.orders.put(number, { ...order, status, n_ends: order.n_ends + 1 });
  const { product, quantity, total_cents } = order;
  const data: Ended = { order: number, product, quantity, total_cents, status, reason };
  tx.emit(`order.${status}`, { subject: `order/${number}`, data });
  return status;
}

function emit(tx: Tx, type: string, order: string) {
  tx.emit(type, { subject: `order/${order}`, data: { order } satisfies Step });
}

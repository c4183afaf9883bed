// The tables, and what handlers are given of them.

import { reject, type, type State, type Transaction, type View } from "chancery-sdk";

import type { Order, Stock, Summary } from "./types.js";

export const tables = {
  stock: { row: type<Stock>(), description: "What there is of each product." },
  orders: { row: type<Order>(), description: "Orders by their number, with the state they are in." },
  orderSummaries: { row: type<Summary>(), description: "Orders as a buyer wants to see them." },
};

/** What a query reads. */
export type Now = State<typeof tables>;
/** What a command reads and writes. */
export type Tx = Transaction<typeof tables>;
/** What a projection writes. */
export type Summaries = View<typeof tables>;

export function unknownOrder(order: string): never {
  return reject("unknown-order", `There is no order \`${order}\`.`, { order });
}

export function unknownProduct(product: string): never {
  return reject("unknown-product", `There is no product \`${product}\`.`, { product });
}

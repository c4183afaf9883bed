// Compiles if the types say what they should: each `@ts-expect-error` is a mistake they catch.

/// <reference path="../../types/globals.d.ts" />

import { app, reject, type, type Event, type State, type Transaction } from "chancery-sdk";
import { given } from "chancery-sdk/testing";

interface Product {
  name: string;
  left: number;
}

interface Order {
  id: string;
  buyer: string | null;
}

const shop = app({
  description: "A shop.",
  tables: {
    stock: { row: type<Product>(), description: "What is left." },
    orders: { key: ["text", "integer"], row: type<Order>() },
    anything: {},
    byNumber: { key: "integer", row: type<string>() },
  },
  events: { "order.placed": { schema: { type: "object" } } },
  queries: {
    stockOf(state, { product }: { product: string }) {
      const found: Product = state.stock.get(product) ?? reject("unknown-product", "None.", { product });
      // @ts-expect-error: a snapshot cannot be written
      state.stock.put(product, found);
      // @ts-expect-error: there is no such table
      state.stok.get(product);
      return found;
    },
    ordersOf: {
      input: { type: "object" },
      run(state, input) {
        const numbers: number[] = [];
        for (const [[product, sequence], { buyer }] of state.orders.scan({
          prefix: [input.product],
          limit: 3,
        })) {
          numbers.push(sequence + product.length + (buyer ?? "").length);
        }
        // @ts-expect-error: a prefix is not a whole key
        state.orders.scan({ prefix: ["a", 1] });
        state.orders.scan({ from: ["a"], to: ["a", 7] });
        // @ts-expect-error: keys of integers have no prefixes
        state.byNumber.scan({ prefix: 1 });
        const others: number = state.table<{ a: number }>("others").count({ prefix: "x" });
        return numbers.concat(others, state.sequence, state.requestTime.getTime());
      },
    },
  },
  commands: {
    buyProduct(tx, { product }: { product: string }) {
      const stock = tx.stock.get(product);
      // @ts-expect-error: it may be absent
      stock.left -= 1;
      if (stock === undefined) reject("unknown-product", "None.");
      tx.stock.put(product, { ...stock, left: stock.left - 1 });
      // @ts-expect-error: not a product
      tx.stock.put(product, { left: 1 });
      // @ts-expect-error: not a key of orders
      tx.orders.get("lamp");
      tx.orders.put([product, tx.sequence], { id: tx.newId(), buyer: null });
      tx.anything.put("x", { whatever: 1 });
      tx.byNumber.delete(7n);
      tx.schedule(tx.time, "ship", { product });
      const id: string = tx.emit("order.placed", { subject: product, data: { product } });
      return id;
    },
  },
  projections: {
    totals: {
      on: ["order.*"],
      version: 1,
      tables: ["anything"],
      project(view, event: Event<{ n: number }>) {
        view.anything.put(event.subject ?? "", event.data.n);
      },
    },
    wrong: {
      on: "x",
      // @ts-expect-error: there is no such table
      tables: ["nothing"],
      project() {},
    },
  },
  reactions: {
    ship: {
      on: "order.paid",
      from: "start",
      react: (state, event) => (state.stock.has(event.type) ? [{ name: "ship", input: event.data }] : []),
    },
  },
  onDeploy(tx) {
    tx.stock.put("lamp", { name: "Lamp", left: tx.sequence });
  },
});

// @ts-expect-error: there is no such section
app({ command: {} });

function helper(state: State<{ stock: {} }>, tx: Transaction): number {
  return state.stock.count() + tx.sequence;
}

export const left: number | undefined = given(shop)
  .row("stock", "lamp", { name: "Lamp", left: 1 })
  .when("buy-product", { product: "lamp" })
  .thenRow("orders", ["lamp", 1], { id: "", buyer: null })
  .given()
  .get("stock", "lamp")?.left;

// @ts-expect-error: not a table of the shop
given(shop).row("stok", "lamp", 1);

const bytes: Uint8Array = new TextEncoder().encode(crypto.randomUUID());
console.log(structuredClone({ left }), new TextDecoder().decode(bytes), Math.random());
// @ts-expect-error: there are no timers
setTimeout(() => {}, 1);

export { helper };

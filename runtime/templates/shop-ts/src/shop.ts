// A shop whose stock is never oversold.
//
// Commands run one after another, so a handler looks and then acts: two buyers of the
// last lamp cannot both find it.

import { app, type } from "chancery-sdk";

import { more, oneLess, unknownProduct, type Product } from "./stock.js";

interface Order {
  buyer: string | null;
}

interface AddProduct {
  product: string;
  name: string;
  quantity: number;
}

interface BuyProduct {
  product: string;
  buyer?: string;
}

interface Of {
  product: string;
}

const product = { type: "string", description: "The product's code, such as `lamp`." };

export default app({
  description: "A shop whose stock is never oversold.",

  tables: {
    stock: { row: type<Product>(), description: "What is left of each product." },
    orders: {
      key: ["text", "integer"],
      row: type<Order>(),
      description: "Buyers by product and by the sequence of the command that placed the order.",
    },
  },

  events: {
    "order.placed": {
      description: "Somebody bought one of a product.",
      schema: {
        type: "object",
        properties: { product, buyer: { type: ["string", "null"] } },
        required: ["product", "buyer"],
      },
    },
  },

  commands: {
    addProduct: {
      description: "Puts a product on sale, or more of one that is.",
      input: {
        type: "object",
        properties: {
          product: { ...product, minLength: 1, maxLength: 100 },
          name: { type: "string", description: "What people call it." },
          quantity: { type: "integer", minimum: 0, maximum: 1_000_000_000 },
        },
        required: ["product", "name", "quantity"],
      },
      run(tx, { product, name, quantity }: AddProduct) {
        const added = more(tx.stock.get(product), name, quantity);
        tx.stock.put(product, added);
        return added;
      },
    },

    buyProduct: {
      description: "Buys one of a product.",
      input: {
        type: "object",
        properties: { product, buyer: { type: "string", description: "Who buys it." } },
        required: ["product"],
      },
      run(tx, { product, buyer }: BuyProduct) {
        const stock = oneLess(product, tx.stock.get(product) ?? unknownProduct(product));
        tx.stock.put(product, stock);
        const order = { buyer: buyer ?? null };
        tx.orders.put([product, tx.sequence], order);
        tx.emit("order.placed", { subject: `product/${product}`, data: { product, ...order } });
        return { product, left: stock.left };
      },
    },
  },

  queries: {
    stockOf: {
      description: "Says how many of a product are left.",
      input: { type: "object", properties: { product }, required: ["product"] },
      run(state, { product }: Of) {
        return state.stock.get(product) ?? unknownProduct(product);
      },
    },

    ordersOf: {
      description: "Lists who bought a product, the first one first.",
      input: { type: "object", properties: { product }, required: ["product"] },
      run(state, { product }: Of) {
        return Array.from(state.orders.values({ prefix: [product] }), (order) => order.buyer);
      },
    },
  },
});

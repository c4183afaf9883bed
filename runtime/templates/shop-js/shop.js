// A shop whose stock is never oversold.
//
// Commands run one after another, so a handler looks and then acts: two buyers of the
// last lamp cannot both find it.

import { app, reject } from "chancery-sdk";

const product = { type: "string", description: "The product's code, such as `lamp`." };

export default app({
  description: "A shop whose stock is never oversold.",

  tables: {
    stock: { description: "What is left of each product." },
    orders: {
      key: ["text", "integer"],
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
      run(tx, { product, name, quantity }) {
        const before = tx.stock.get(product)?.left ?? 0;
        const added = { name, left: before + quantity };
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
      run(tx, { product, buyer = null }) {
        const stock = tx.stock.get(product) ?? unknownProduct(product);
        if (stock.left === 0) {
          reject("out-of-stock", `No ${stock.name} is left.`, { product });
        }
        const left = stock.left - 1;
        tx.stock.put(product, { ...stock, left });
        tx.orders.put([product, tx.sequence], { buyer });
        tx.emit("order.placed", { subject: `product/${product}`, data: { product, buyer } });
        return { product, left };
      },
    },
  },

  queries: {
    stockOf: {
      description: "Says how many of a product are left.",
      input: { type: "object", properties: { product }, required: ["product"] },
      run(state, { product }) {
        return state.stock.get(product) ?? unknownProduct(product);
      },
    },

    ordersOf: {
      description: "Lists who bought a product, the first one first.",
      input: { type: "object", properties: { product }, required: ["product"] },
      run(state, { product }) {
        return Array.from(state.orders.values({ prefix: [product] }), (order) => order.buyer);
      },
    },
  },
});

function unknownProduct(product) {
  return reject("unknown-product", `There is no product \`${product}\`.`, { product });
}

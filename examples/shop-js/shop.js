// A shop: a stock that is never oversold, and the orders that took from it.
//
// Commands run one after another, so a handler looks and then acts: two buyers of the last lamp
// cannot both find it. This is `examples/shop` in JavaScript, with the same names, inputs,
// results and refusals.

import { app, reject } from "chancery-sdk";

const product = { type: "string", description: "The product's code." };
const buyer = { type: ["string", "null"], description: "Who bought it, if they said so." };
const order = { type: "string", description: "The order's id: a UUID." };
const count = { type: "integer", minimum: 0 };

const Product = {
  type: "object",
  description: "A product on sale, and how many are left of it.",
  properties: {
    name: { type: "string", description: "What people call it." },
    left: { ...count, description: "How many can still be bought." },
  },
  required: ["name", "left"],
};

const OrderLine = {
  type: "object",
  description: "An order of a product.",
  properties: {
    order,
    buyer,
    sequence: { ...count, description: "The sequence of the command that placed it." },
  },
  required: ["order", "sequence"],
};

export default app({
  description: "A shop with a stock that is never oversold.",

  tables: {
    stock: { description: "What is left of each product." },
    orders: {
      key: ["text", "integer"],
      description: "What was bought, by product and in order of purchase.",
    },
  },

  events: {
    "order.placed": {
      description: "Somebody bought one of a product.",
      schema: { type: "object", properties: { order, product, buyer }, required: ["order", "product"] },
    },
  },

  queries: {
    stockOf: {
      description: "Says how many of a product are left.",
      input: { type: "object", properties: { product }, required: ["product"] },
      output: Product,
      run(state, { product }) {
        return state.stock.get(product) ?? unknownProduct(product);
      },
    },

    ordersOf: {
      description: "Lists the latest orders of a product, the last one first.",
      input: {
        type: "object",
        properties: {
          product,
          limit: {
            type: ["integer", "null"],
            minimum: 1,
            maximum: 1000,
            description: "How many at most; 20 if not given.",
          },
        },
        required: ["product"],
      },
      output: { type: "array", items: OrderLine },
      run(state, { product, limit }) {
        const latest = state.orders.scan({ prefix: [product], reverse: true, limit: limit ?? 20 });
        return Array.from(latest, ([[, sequence], { id, buyer }]) => ({ order: id, buyer, sequence }));
      },
    },
  },

  commands: {
    addProduct: {
      description: "Puts a product on sale, or more of one that is.",
      input: {
        type: "object",
        properties: {
          product: {
            type: "string",
            minLength: 1,
            maxLength: 100,
            description: "The product's code, such as `lamp`.",
          },
          name: { type: "string", description: "What people call it." },
          quantity: {
            type: "integer",
            minimum: 0,
            maximum: 1_000_000_000,
            description: "How many there are to add.",
          },
        },
        required: ["product", "name", "quantity"],
      },
      output: Product,
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
        properties: {
          product,
          buyer: { type: ["string", "null"], description: "Who buys it." },
        },
        required: ["product"],
      },
      output: {
        type: "object",
        description: "What the buyer gets.",
        properties: { order, product, left: { ...count, description: "How many are left for others." } },
        required: ["order", "product", "left"],
      },
      run(tx, { product, buyer = null }) {
        const stock = tx.stock.get(product) ?? unknownProduct(product);
        if (stock.left === 0) reject("out-of-stock", `No ${stock.name} is left.`, { product });
        const left = stock.left - 1;
        tx.stock.put(product, { ...stock, left });

        const order = tx.newId();
        tx.orders.put([product, tx.sequence], { id: order, buyer });
        tx.emit("order.placed", { subject: `product/${product}`, data: { order, product, buyer } });
        return { order, product, left };
      },
    },
  },
});

function unknownProduct(product) {
  return reject("unknown-product", `There is no product \`${product}\`.`, { product });
}

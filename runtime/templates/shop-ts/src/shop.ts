// A shop whose stock is never oversold.
//
// Commands run one after another, so a handler looks and then acts: two buyers of the
// last lamp cannot both find it.

import { app, type } from "chancery-sdk";

import { more, oneLess, unknownProduct, type Product } from "./stock.js";
// Each is a type and the schema of it.
import { AddProduct, BuyProduct, Of, OrderPlaced } from "./types.schema.js";

interface Order {
  buyer: string | null;
}

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
    "order.placed": { description: OrderPlaced.description, schema: OrderPlaced },
  },

  commands: {
    addProduct: {
      description: AddProduct.description,
      input: AddProduct,
      run(tx, { product, name, quantity }: AddProduct) {
        const added = more(tx.stock.get(product), name, quantity);
        tx.stock.put(product, added);
        return added;
      },
    },

    buyProduct: {
      description: BuyProduct.description,
      input: BuyProduct,
      run(tx, { product, buyer }: BuyProduct) {
        const stock = oneLess(product, tx.stock.get(product) ?? unknownProduct(product));
        tx.stock.put(product, stock);
        const placed: OrderPlaced = { product, buyer: buyer ?? null };
        tx.orders.put([product, tx.sequence], { buyer: placed.buyer });
        tx.emit("order.placed", { subject: `product/${product}`, data: placed });
        return { product, left: stock.left };
      },
    },
  },

  queries: {
    stockOf: {
      description: "Says how many of a product are left.",
      input: Of,
      run(state, { product }: Of) {
        return state.stock.get(product) ?? unknownProduct(product);
      },
    },

    ordersOf: {
      description: "Lists who bought a product, the first one first.",
      input: Of,
      run(state, { product }: Of) {
        return Array.from(state.orders.values({ prefix: [product] }), (order) => order.buyer);
      },
    },
  },
});

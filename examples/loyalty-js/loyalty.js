// Points for those who buy: a module beside `orders`, in another language.
//
// It owns its table and its commands. Of `orders` it knows two things that anybody may see: the
// events, and the table `orders`, which it can read and not write. Who wrote that module, and in
// which language, it cannot tell.

import { app, reject } from "chancery-sdk";

const buyer = { type: "string", description: "Who buys." };
const order = { type: "string", description: "The order's number." };
const points = { type: "integer", minimum: 0, description: "How many points." };

/** A point for each whole euro, or whatever a hundred cents are. */
const CENTS_PER_POINT = 100;

export default app({
  description: "Points for those who buy.",

  tables: { points: { description: "How many points each buyer has." } },

  events: {
    "points.earned": {
      description: "An order was shipped, and its buyer has points for it.",
      schema: { type: "object", properties: { buyer, points }, required: ["buyer", "points"] },
    },
    "points.spent": {
      description: "Somebody got something for points.",
      schema: { type: "object", properties: { buyer, points }, required: ["buyer", "points"] },
    },
  },

  reactions: {
    rewarding: {
      description: "Gives points for what was shipped, since the first order there was.",
      on: "order.shipped",
      from: "start",
      react: (state, { data }) => ({ name: "add-points", input: { order: data.order } }),
    },
  },

  commands: {
    addPoints: {
      description: "Gives the points for an order.",
      input: { type: "object", properties: { order }, required: ["order"] },
      run(tx, { order }) {
        const { buyer, total_cents, status } = tx.table("orders").get(order) ?? unknownOrder(order);
        if (status !== "shipped") reject("not-shipped", `The order is ${status}.`, { order });
        const points = Math.floor(total_cents / CENTS_PER_POINT);
        tx.points.put(buyer, (tx.points.get(buyer) ?? 0) + points);
        tx.emit("points.earned", { subject: `order/${order}`, data: { buyer, points } });
      },
    },

    spendPoints: {
      description: "Takes points for something.",
      input: { type: "object", properties: { buyer, points }, required: ["buyer", "points"] },
      run(tx, { buyer, points }) {
        const left = (tx.points.get(buyer) ?? 0) - points;
        if (left < 0) reject("too-few-points", `${buyer} has ${left + points}.`, { buyer });
        tx.points.put(buyer, left);
        tx.emit("points.spent", { subject: `buyer/${buyer}`, data: { buyer, points } });
        return left;
      },
    },
  },

  queries: {
    customer: {
      description: "What there is to know of a buyer, from both modules and of one moment.",
      input: { type: "object", properties: { buyer }, required: ["buyer"] },
      run(state, { buyer }) {
        const orders = state
          .table("orders")
          .scan()
          .filter(([, order]) => order.buyer === buyer)
          .map(([number, { status, total_cents }]) => ({ number, status, total_cents }));
        return { buyer, points: state.points.get(buyer) ?? 0, orders: [...orders] };
      },
    },
  },
});

function unknownOrder(order) {
  return reject("unknown-order", `There is no order \`${order}\`.`, { order });
}

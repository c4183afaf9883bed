// Orders from placing to shipping: a process of several steps, each a command of its own, with
// reactions that lead from one to the next. This is `examples/orders` in TypeScript.
//
// place-order ─► order.placed ─► reserve-stock ─► stock.reserved ─► take-payment ─► payment.taken ─► ship-order ─► order.shipped
//      │                              │                                  │
//      │                              └─► order.refused                  └─► payment.failed ─► release-stock ─► order.cancelled
//      └─ timer ─► cancel-unpaid ─► order.cancelled
//
// A step looks at the order before it does something, since others may have been there: the timer
// fires although the payment is on its way, a dead letter is tried again. Then it changes
// nothing. So each order ends once, and the stock adds up; the query `audit` says whether it does.

import { app, type Event, type NewCommand } from "chancery-sdk";

import { addStock, payOrder, placeOrder } from "./commands.js";
import { audit, order, summary } from "./queries.js";
import { cancelUnpaid, releaseStock, reserveStock, shipOrder, takePayment } from "./steps.js";
import { summarise } from "./summary.js";
import { tables, type Tx } from "./tables.js";
// Each is a type and the schema of it.
import {
  AddStock,
  Audit,
  AuditOf,
  Ended,
  Of,
  Order,
  Placed,
  PlaceOrder,
  Status,
  Step,
  Stock,
  Summary,
} from "./types.schema.js";

/** A step of the process: a command about an order, which gives the state it is in then. */
const step = (description: string, run: (tx: Tx, of: Of) => Status) => ({
  description,
  input: Of,
  output: Status,
  run,
});

/** What follows: a command about the order that an event is about. */
const next =
  (name: string) =>
  (_: unknown, { data: { order } }: Event<Step>): NewCommand => ({ name, input: { order } });

export default app({
  description: "Orders, from placing to shipping.",
  tables,

  events: {
    "order.placed": { description: "Somebody ordered something.", schema: Placed },
    "stock.reserved": { description: "What was ordered is set aside.", schema: Step },
    "payment.taken": { description: "It is paid.", schema: Step },
    "payment.failed": { description: "It could not be paid.", schema: Step },
    "payment.awaited": { description: "It will be paid later, on invoice.", schema: Step },
    "order.shipped": { description: "It is on its way: the end.", schema: Ended },
    "order.refused": { description: "There was not enough of it: the end.", schema: Ended },
    "order.cancelled": { description: "It was not paid: the end.", schema: Ended },
  },

  queries: {
    order: { description: "An order, as the process has it.", input: Of, output: Order, run: order },
    summary: { description: Summary.description, input: Of, output: Summary, run: summary },
    audit: { description: AuditOf.description, input: AuditOf, output: Audit, run: audit },
  },

  commands: {
    addStock: { description: AddStock.description, input: AddStock, output: Stock, run: addStock },
    placeOrder: { description: PlaceOrder.description, input: PlaceOrder, output: Order, run: placeOrder },
    payOrder: { description: "Pays an order on invoice.", input: Of, output: Order, run: payOrder },

    reserveStock: step("Sets aside what was ordered.", reserveStock),
    takePayment: step("Takes the money, or fails to.", takePayment),
    shipOrder: step("Sends what is paid.", shipOrder),
    releaseStock: step("Puts back what is not paid for.", releaseStock),
    cancelUnpaid: step("Cancels what is not paid in time.", cancelUnpaid),
  },

  projections: {
    orderSummary: {
      description: "Each order with what became of it, step by step.",
      on: ["order.placed", "order.*", "stock.*", "payment.*"],
      version: 1,
      tables: ["orderSummaries"],
      project: summarise,
    },
  },

  reactions: {
    reserving: {
      description: "Sets aside what was ordered.",
      on: "order.placed",
      react: next("reserve-stock"),
    },
    payment: {
      description: "Asks for the money.",
      on: "stock.reserved",
      react: next("take-payment"),
    },
    shipping: {
      description: "Ships what is paid.",
      on: "payment.taken",
      react: next("ship-order"),
    },
    compensation: {
      description: "Puts back what is not paid for.",
      on: "payment.failed",
      react: next("release-stock"),
    },
  },
});

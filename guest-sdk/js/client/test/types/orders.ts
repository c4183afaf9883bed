// What the app `fulfilment` takes and gives. Made by `chancery generate ts`; do not edit.
//
//   import { connect } from "chancery-client";
//   const app = connect<App>("http://127.0.0.1:7070", { app: "fulfilment" });
//
// Of these modules:
//   orders 0000000000000000000000000000000000000000000000000000000000000000
//   sales 0000000000000000000000000000000000000000000000000000000000000000

/** The app `fulfilment`. */
export interface App {
  commands: Commands;
  queries: Queries;
  events: Events;
}

/** What changes its state. */
export interface Commands {
  /** Puts a product on sale, or more of one that is. */
  "add-stock": {
    input: AddStockInput;
    output: AddStockOutput;
  };
  /** Which order a step is of. */
  "cancel-unpaid": {
    input: CancelUnpaidInput;
    output: CancelUnpaidOutput;
  };
  /** Pays an order that is to be paid on invoice. */
  "pay-order": {
    input: PayOrderInput;
    output: PayOrderOutput;
  };
  /** Orders something. Whether there is enough of it turns out later. */
  "place-order": {
    input: PlaceOrderInput;
    output: PlaceOrderOutput;
  };
  /** Which order a step is of. */
  "release-stock": {
    input: ReleaseStockInput;
    output: ReleaseStockOutput;
  };
  /** Which order a step is of. */
  "reserve-stock": {
    input: ReserveStockInput;
    output: ReserveStockOutput;
  };
  /** Which order a step is of. */
  "ship-order": {
    input: ShipOrderInput;
    output: ShipOrderOutput;
  };
  /** Which order a step is of. */
  "take-payment": {
    input: TakePaymentInput;
    output: TakePaymentOutput;
  };
}

/** What can be asked. */
export interface Queries {
  /** Asks whether all is as it should be. */
  audit: {
    input: AuditInput;
    output: AuditOutput;
  };
  /** Which order is asked for. */
  order: {
    input: OrderInput;
    output: OrderOutput;
  };
  /** Asks what all products came to. */
  sales: {
    input: SalesInput;
    output: SalesOutput;
  };
  /** Which order is asked for. */
  summary: {
    input: SummaryInput;
    output: SummaryOutput;
  };
}

/** The data of what is stated, by type. */
export interface Events {
  /** It was not paid: the end. */
  "order.cancelled": OrderCancelledData;
  /** Somebody ordered something. */
  "order.placed": OrderPlacedData;
  /** There was not enough of it: the end. */
  "order.refused": OrderRefusedData;
  /** It is on its way: the end. */
  "order.shipped": OrderShippedData;
  /** It will be paid later, on invoice. */
  "payment.awaited": PaymentAwaitedData;
  /** It could not be paid. */
  "payment.failed": PaymentFailedData;
  /** It is paid. */
  "payment.taken": PaymentTakenData;
  /** What was ordered is set aside. */
  "stock.reserved": StockReservedData;
}

/** Puts a product on sale, or more of one that is. */
export interface AddStockInput {
  /** What people call it. */
  name: string;
  /** What one costs. */
  price_cents: number;
  /** The product's code, such as `lamp`. */
  product: string;
  /** How many there are to add. */
  quantity: number;
}

/** How much there is of a product. `added` is always the sum of the other three. */
export interface AddStockOutput {
  /** How many there ever were. */
  added: number;
  /** How many can be ordered. */
  available: number;
  /** What people call it. */
  name: string;
  /** What one costs. */
  price_cents: number;
  /** How many are set aside for orders. */
  reserved: number;
  /** How many are gone. */
  shipped: number;
}

/** Asks whether all is as it should be. */
export type AuditInput = { [key: string]: unknown };

/** Whether all is as it should be. */
export interface AuditOutput {
  /** How many are in which state. */
  by_status: { [key: string]: number };
  /**
   * The orders, 10 at most, that ended more than once, or not as often as their
   * state says.
   */
  faults: string[];
  /** Whether all have come to their end. */
  is_settled: boolean;
  /** Whether there are no faults and all stock adds up. */
  is_sound: boolean;
  /** How many orders there are. */
  orders: number;
  /** By product. */
  stock: { [key: string]: ProductAudit };
}

/** Which order a step is of. */
export interface CancelUnpaidInput {
  /** The order's number. */
  order: string;
}

/** What became of an order. */
export type CancelUnpaidOutput = "placed" | "reserved" | "paid" | "payment-failed" | "shipped" | "refused" | "cancelled";

/** A product and what it came to. */
export interface Line {
  /** What they cost. */
  cents: number;
  /** How many were refused or cancelled. */
  lost: number;
  /** How many pieces were shipped. */
  pieces: number;
  /** How many orders there were. */
  placed: number;
  /** The product's code. */
  product: string;
  /** How many were shipped. */
  shipped: number;
}

/** The data of an order's last event. */
export interface OrderCancelledData {
  /** The order's number. */
  order: string;
  /** The product's code. */
  product: string;
  /** How many. */
  quantity: number;
  /** Why, for people. */
  reason: string;
  /** How it ended. */
  status: Status;
  /** What they cost together. */
  total_cents: number;
}

/** Which order is asked for. */
export interface OrderInput {
  /** The order's number. */
  order: string;
}

/** An order. */
export interface OrderOutput {
  /** Who ordered. */
  buyer: string;
  /** How often it ended, which is once at most. */
  n_ends: number;
  /** How it is to be paid. */
  payment: Payment;
  /** The product's code. */
  product: string;
  /** How many. */
  quantity: number;
  /** What became of it so far. */
  status: Status;
  /** The timer that cancels it unless it is paid before. */
  timer: string | null;
  /** What they cost together. */
  total_cents: number;
}

/** The data of `order.placed`: what whoever reads only events needs to know. */
export interface OrderPlacedData {
  /** Who ordered. */
  buyer: string;
  /** The order's number. */
  order: string;
  /** The product's code. */
  product: string;
  /** What people call it. */
  product_name: string;
  /** How many. */
  quantity: number;
  /** What they cost together. */
  total_cents: number;
}

/** The data of an order's last event. */
export interface OrderRefusedData {
  /** The order's number. */
  order: string;
  /** The product's code. */
  product: string;
  /** How many. */
  quantity: number;
  /** Why, for people. */
  reason: string;
  /** How it ended. */
  status: Status;
  /** What they cost together. */
  total_cents: number;
}

/** The data of an order's last event. */
export interface OrderShippedData {
  /** The order's number. */
  order: string;
  /** The product's code. */
  product: string;
  /** How many. */
  quantity: number;
  /** Why, for people. */
  reason: string;
  /** How it ended. */
  status: Status;
  /** What they cost together. */
  total_cents: number;
}

/** Pays an order that is to be paid on invoice. */
export interface PayOrderInput {
  /** The order's number. */
  order: string;
}

/** An order. */
export interface PayOrderOutput {
  /** Who ordered. */
  buyer: string;
  /** How often it ended, which is once at most. */
  n_ends: number;
  /** How it is to be paid. */
  payment: Payment;
  /** The product's code. */
  product: string;
  /** How many. */
  quantity: number;
  /** What became of it so far. */
  status: Status;
  /** The timer that cancels it unless it is paid before. */
  timer: string | null;
  /** What they cost together. */
  total_cents: number;
}

/** How an order is paid. */
export type Payment = "card" | "declined-card" | "invoice";

/** The data of the events between the first and the last. */
export interface PaymentAwaitedData {
  /** The order's number. */
  order: string;
}

/** The data of the events between the first and the last. */
export interface PaymentFailedData {
  /** The order's number. */
  order: string;
}

/** The data of the events between the first and the last. */
export interface PaymentTakenData {
  /** The order's number. */
  order: string;
}

/** Orders something. Whether there is enough of it turns out later. */
export interface PlaceOrderInput {
  /** Who orders. */
  buyer: string;
  /** A number that no other order has. */
  order: string;
  /** How long it may stay unpaid, in milliseconds; a quarter of an hour if not given. */
  pay_within_ms?: number | null;
  /** How it is to be paid. */
  payment: Payment;
  /** The product's code. */
  product: string;
  /** How many. */
  quantity: number;
}

/** An order. */
export interface PlaceOrderOutput {
  /** Who ordered. */
  buyer: string;
  /** How often it ended, which is once at most. */
  n_ends: number;
  /** How it is to be paid. */
  payment: Payment;
  /** The product's code. */
  product: string;
  /** How many. */
  quantity: number;
  /** What became of it so far. */
  status: Status;
  /** The timer that cancels it unless it is paid before. */
  timer: string | null;
  /** What they cost together. */
  total_cents: number;
}

/** Whether the stock of a product adds up. */
export interface ProductAudit {
  /** How many there ever were. */
  added: number;
  /**
   * Whether the last three make the first, and what is set aside and gone is what
   * orders say.
   */
  adds_up: boolean;
  /** How many can be ordered. */
  available: number;
  /** How many are set aside. */
  reserved: number;
  /** How many are gone. */
  shipped: number;
}

/** Which order a step is of. */
export interface ReleaseStockInput {
  /** The order's number. */
  order: string;
}

/** What became of an order. */
export type ReleaseStockOutput = "placed" | "reserved" | "paid" | "payment-failed" | "shipped" | "refused" | "cancelled";

/** Which order a step is of. */
export interface ReserveStockInput {
  /** The order's number. */
  order: string;
}

/** What became of an order. */
export type ReserveStockOutput = "placed" | "reserved" | "paid" | "payment-failed" | "shipped" | "refused" | "cancelled";

/** Asks what all products came to. */
export type SalesInput = { [key: string]: unknown };

export type SalesOutput = Line[];

/** Which order a step is of. */
export interface ShipOrderInput {
  /** The order's number. */
  order: string;
}

/** What became of an order. */
export type ShipOrderOutput = "placed" | "reserved" | "paid" | "payment-failed" | "shipped" | "refused" | "cancelled";

/** What became of an order. */
export type Status = "placed" | "reserved" | "paid" | "payment-failed" | "shipped" | "refused" | "cancelled";

/** The data of the events between the first and the last. */
export interface StockReservedData {
  /** The order's number. */
  order: string;
}

/** Which order is asked for. */
export interface SummaryInput {
  /** The order's number. */
  order: string;
}

/** All there is to know of an order. */
export interface SummaryOutput {
  /** Who ordered. */
  buyer: string;
  /** How it ended, if it has. */
  ended: string | null;
  /** The latest step, such as `stock.reserved`. */
  latest: string;
  /** What people call the product. */
  product: string;
  /** How many. */
  quantity: number;
  /** What happened, in order. */
  steps: SummaryStep[];
  /** What they cost together. */
  total_cents: number;
}

/** Something that happened to an order. */
export interface SummaryStep {
  /** When, in milliseconds since 1970. */
  time_ms: number;
  /** What, such as `stock.reserved`. */
  what: string;
}

/** Which order a step is of. */
export interface TakePaymentInput {
  /** The order's number. */
  order: string;
}

/** What became of an order. */
export type TakePaymentOutput = "placed" | "reserved" | "paid" | "payment-failed" | "shipped" | "refused" | "cancelled";

// What goes in and out of the app, and what its tables hold. types.schema.ts is made of this
// file whenever the app is built; the server checks inputs and events against it.

/** How an order is paid: at once, at once with a card that is refused (for trying), or later. */
export type Payment = "card" | "declined-card" | "invoice";

/** What became of an order. The last three are final. */
export type Status =
  | "placed"
  | "reserved"
  | "paid"
  | "payment-failed"
  | "shipped"
  | "refused"
  | "cancelled";

/**
 * How many of something, or what it costs in cents.
 * @asType integer
 * @minimum 0
 */
export type Count = number;

// ---- Inputs ----

/** Puts a product on sale, or more of one that is. */
export interface AddStock {
  /**
   * The product's code, such as `lamp`.
   * @minLength 1
   * @maxLength 100
   */
  product: string;
  /** What people call it. */
  name: string;
  /**
   * What one costs.
   * @maximum 1000000000
   */
  price_cents: Count;
  /**
   * How many there are to add.
   * @maximum 1000000000
   */
  quantity: Count;
}

/** Orders something. Whether there is enough of it turns out later. */
export interface PlaceOrder {
  /**
   * A number that no other order has.
   * @minLength 1
   * @maxLength 100
   */
  order: string;
  /** Who orders. */
  buyer: string;
  /** The product's code. */
  product: string;
  /**
   * How many.
   * @minimum 1
   * @maximum 1000000
   */
  quantity: Count;
  /** How it is to be paid. */
  payment: Payment;
  /**
   * How long it may stay unpaid, in milliseconds; a quarter of an hour if not given.
   * @maximum 31536000000
   */
  pay_within_ms?: Count | null;
}

/** Which order is meant. */
export interface Of {
  /** The order's number. */
  order: string;
}

/** Asks whether all is as it should be. */
export interface AuditOf {}

// ---- Rows ----

/** How much there is of a product. `added` is always the sum of the other three. */
export interface Stock {
  /** What people call it. */
  name: string;
  /** What one costs. */
  price_cents: Count;
  /** How many there ever were. */
  added: Count;
  /** How many can be ordered. */
  available: Count;
  /** How many are set aside for orders. */
  reserved: Count;
  /** How many are gone. */
  shipped: Count;
}

/** An order. */
export interface Order {
  /** Who ordered. */
  buyer: string;
  /** The product's code. */
  product: string;
  /** How many. */
  quantity: Count;
  /** What they cost together. */
  total_cents: Count;
  /** How it is to be paid. */
  payment: Payment;
  /** What became of it so far. */
  status: Status;
  /** The timer that cancels it unless it is paid before. */
  timer: string | null;
  /** How often it ended, which is once at most. */
  n_ends: Count;
}

/** All there is to know of an order, as its buyer wants to see it. */
export interface Summary {
  /** Who ordered. */
  buyer: string;
  /** What people call the product. */
  product: string;
  /** How many. */
  quantity: Count;
  /** What they cost together. */
  total_cents: Count;
  /** The latest step, such as `stock.reserved`. */
  latest: string;
  /** How it ended, if it has. */
  ended: string | null;
  /** What happened, in order. */
  steps: SummaryStep[];
}

/** Something that happened to an order. */
export interface SummaryStep {
  /** What, such as `stock.reserved`. */
  what: string;
  /** When, in milliseconds since 1970. */
  time_ms: Count;
}

/** Whether all is as it should be. */
export interface Audit {
  /** How many orders there are. */
  orders: Count;
  /** How many are in which state. */
  by_status: { [status in Status]?: Count };
  /** Whether all have come to their end. */
  is_settled: boolean;
  /** The orders, 10 at most, that ended more than once, or not as often as their state says. */
  faults: string[];
  /** By product. */
  stock: { [product: string]: ProductAudit };
  /** Whether there are no faults and all stock adds up. */
  is_sound: boolean;
}

/** Whether the stock of a product adds up. */
export interface ProductAudit {
  /** How many there ever were. */
  added: Count;
  /** How many can be ordered. */
  available: Count;
  /** How many are set aside. */
  reserved: Count;
  /** How many are gone. */
  shipped: Count;
  /**
   * Whether the last three make the first, and what is set aside and gone is what orders say.
   */
  adds_up: boolean;
}

// ---- Events ----

/** The data of `order.placed`: what whoever reads only events needs to know. */
export interface Placed {
  /** The order's number. */
  order: string;
  /** Who ordered. */
  buyer: string;
  /** The product's code. */
  product: string;
  /** What people call it. */
  product_name: string;
  /** How many. */
  quantity: Count;
  /** What they cost together. */
  total_cents: Count;
}

/** The data of the events between the first and the last. */
export interface Step {
  /** The order's number. */
  order: string;
}

/** The data of an order's last event. */
export interface Ended {
  /** The order's number. */
  order: string;
  /** The product's code. */
  product: string;
  /** How many. */
  quantity: Count;
  /** What they cost together. */
  total_cents: Count;
  /** How it ended. */
  status: Status;
  /** Why, for people. */
  reason: string;
}

// What the app `main` takes and gives. Made by `chancery generate ts`; do not edit.
//
//   import { connect } from "chancery-client";
//   const app = connect<App>("http://127.0.0.1:7070", { app: "main" });
//
// Of these modules:
//   shop 0000000000000000000000000000000000000000000000000000000000000000

/** The app `main`. */
export interface App {
  commands: Commands;
  queries: Queries;
  events: Events;
}

/** What changes its state. */
export interface Commands {
  /** Puts a product on sale, or more of one that is. */
  "add-product": {
    input: AddProductInput;
    output: AddProductOutput;
  };
  /** Buys one of a product. */
  "buy-product": {
    input: BuyProductInput;
    output: BuyProductOutput;
  };
}

/** What can be asked. */
export interface Queries {
  /** Lists the latest orders of a product, the last one first. */
  "orders-of": {
    input: OrdersOfInput;
    output: OrdersOfOutput;
  };
  /** Says how many of a product are left. */
  "stock-of": {
    input: StockOfInput;
    output: StockOfOutput;
  };
}

/** The data of what is stated, by type. */
export interface Events {
  /** Somebody bought one of a product. */
  "order.placed": OrderPlacedData;
}

/** Puts a product on sale, or more of one that is. */
export interface AddProductInput {
  /** What people call it. */
  name: string;
  /** The product's code, such as `lamp`. */
  product: string;
  /** How many there are to add. */
  quantity: number;
}

/** A product on sale, and how many are left of it. */
export interface AddProductOutput {
  /** How many can still be bought. */
  left: number;
  /** What people call it. */
  name: string;
}

/** Buys one of a product. */
export interface BuyProductInput {
  /** Who buys it. */
  buyer?: string | null;
  /** The product's code. */
  product: string;
}

/** What the buyer gets. */
export interface BuyProductOutput {
  /** How many are left for others. */
  left: number;
  /** The order's id: a UUID. */
  order: string;
  /** The product's code. */
  product: string;
}

/** An order of a product. */
export interface OrderLine {
  /** Who bought it, if they said so. */
  buyer: string | null;
  /** The order's id: a UUID. */
  order: string;
  /** The sequence of the command that placed it. */
  sequence: number;
}

/** The data of `order.placed`. */
export interface OrderPlacedData {
  /** Who bought it, if they said so. */
  buyer: string | null;
  /** The order's id: a UUID. */
  order: string;
  /** The product's code. */
  product: string;
}

/** Lists the latest orders of a product, the last one first. */
export interface OrdersOfInput {
  /** How many at most; 20 if not given. */
  limit?: number | null;
  /** The product's code. */
  product: string;
}

export type OrdersOfOutput = OrderLine[];

/** Says how many of a product are left. */
export interface StockOfInput {
  /** The product's code. */
  product: string;
}

/** A product on sale, and how many are left of it. */
export interface StockOfOutput {
  /** How many can still be bought. */
  left: number;
  /** What people call it. */
  name: string;
}

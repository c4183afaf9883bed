// What goes in and out. `chancery` makes JSON Schemas of these types, comments and all, in
// types.schema.ts; the server checks every input against them, and shows them to its users.

/** Puts a product on sale, or more of one that is. */
export interface AddProduct {
  /**
   * The product's code, such as `lamp`.
   * @minLength 1
   * @maxLength 100
   */
  product: string;
  /** What people call it. */
  name: string;
  /**
   * How many there are to add.
   * @asType integer
   * @minimum 0
   * @maximum 1000000000
   */
  quantity: number;
}

/** Buys one of a product. */
export interface BuyProduct {
  /** The product's code. */
  product: string;
  /** Who buys it. */
  buyer?: string;
}

/** What is asked about a product. */
export interface Of {
  /** The product's code. */
  product: string;
}

/** Somebody bought one of a product. */
export interface OrderPlaced {
  /** The product's code. */
  product: string;
  /** Who bought it, if they said so. */
  buyer: string | null;
}

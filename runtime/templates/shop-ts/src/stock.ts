// The rules of the stock, as plain functions.

import { reject } from "chancery-sdk";

/** A product on sale, and how many are left of it. */
export interface Product {
  name: string;
  left: number;
}

/** The product with more of it. */
export function more(before: Product | undefined, name: string, quantity: number): Product {
  return { name, left: (before?.left ?? 0) + quantity };
}

/** The product with one less; refused if none is left. */
export function oneLess(product: string, stock: Product): Product {
  if (stock.left === 0) {
    reject("out-of-stock", `No ${stock.name} is left.`, { product });
  }
  return { ...stock, left: stock.left - 1 };
}

/** Refuses what is not on sale. */
export function unknownProduct(product: string): never {
  return reject("unknown-product", `There is no product \`${product}\`.`, { product });
}

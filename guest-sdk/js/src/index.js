// `chancery-sdk`: what applications are written with.

export { app } from "./app.js";
export { reject, Rejection } from "./reject.js";

/** Says what the rows of a table are, to TypeScript alone: `{ row: type<Order>() }`. */
export function type() {
  return undefined;
}

// `chancery-sdk`: what applications are written with.

export { app } from "./app.js";
export { reject, Rejection } from "./reject.js";

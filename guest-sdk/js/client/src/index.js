/**
 * The client of a Chancery app, for browsers and Node: what a program that uses it can
 * name. What each part owns is said at the beginning of its file.
 *
 * @module
 */

export { connect } from "./app.js";
export { ChanceryError, Rejected } from "./errors.js";
export { newId } from "./ids.js";

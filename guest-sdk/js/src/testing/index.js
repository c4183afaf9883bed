// `chancery-sdk/testing`: handlers under plain `node --test`. Given some rows, when a command,
// then its result and what changed; no server and no WebAssembly.

import { definitionOf } from "../app.js";
import { Given } from "./given.js";
import "./iterators.js";

/** The state of an app with no rows, before its first command. */
export function given(app) {
  const definition = definitionOf(app);
  if (definition === undefined) throw new TypeError("given() takes what app() returned");
  return Given.of(definition);
}

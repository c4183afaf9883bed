// `console`, which writes to the server's log.

import { host } from "./host.js";
import { inspect } from "./inspect.js";

const [TRACE, DEBUG, INFO, WARN, ERROR] = [0, 1, 2, 3, 4];

/** Writes a line to the log. A text with half a character in it is written without that. */
function write(level, text) {
  host.log(level, text.toWellFormed());
}

/** Writes a line to the log as an error. */
export function logError(text) {
  write(ERROR, text);
}

function writer(level) {
  return (...values) => write(level, values.map(inspect).join(" "));
}

export const console = Object.freeze({
  trace: writer(TRACE),
  debug: writer(DEBUG),
  log: writer(INFO),
  info: writer(INFO),
  warn: writer(WARN),
  error: writer(ERROR),
});

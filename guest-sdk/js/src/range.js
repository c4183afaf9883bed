// Which rows a scan or a count covers: options as handlers write them, as the server takes them.

import { compare, prefixEnd } from "./key.js";

const OPTIONS = ["prefix", "from", "after", "to", "through", "reverse", "limit"];

const ALL = Object.freeze({ prefix: undefined, lower: undefined, upper: undefined });

/**
 * The range of `{ prefix, from, after, to, through }`: `from` and `through` belong to it,
 * `after` and `to` do not. Of a tuple, each may be some of the first components.
 */
export function range(key, options) {
  if (options === undefined) return ALL;
  check(options);
  const { prefix, from, after, to, through } = options;
  const begins = prefix === undefined ? "" : key.prefix(prefix);
  const lower = from !== undefined ? edge(key, from) : after !== undefined ? above(key, after) : undefined;
  const upper = to !== undefined ? edge(key, to) : through !== undefined ? above(key, through) : undefined;
  if (lower === undefined && upper === undefined) return begins === "" ? ALL : { ...ALL, prefix: begins };
  return {
    prefix: undefined,
    lower: highest(lower, begins === "" ? undefined : begins),
    upper: lowest(upper, begins === "" ? undefined : prefixEnd(begins)),
  };
}

function check(options) {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      throw new TypeError(`a scan has no option \`${name}\`; it has ${OPTIONS.join(", ")}`);
    }
  }
  for (const [one, other] of [
    ["from", "after"],
    ["to", "through"],
  ]) {
    if (options[one] !== undefined && options[other] !== undefined) {
      throw new TypeError(`a scan takes \`${one}\` or \`${other}\`, not both`);
    }
  }
}

/** The lowest text that belongs to a key, or to keys that begin with some components. */
function edge(key, given) {
  return key.isPart(given) ? key.prefix(given) : key.encode(given);
}

/** The lowest text above it, or above all that begin with it. */
function above(key, given) {
  return key.isPart(given) ? prefixEnd(key.prefix(given)) : `${key.encode(given)}\0`;
}

function highest(a, b) {
  if (a === undefined || b === undefined) return a ?? b;
  return compare(a, b) < 0 ? b : a;
}

function lowest(a, b) {
  if (a === undefined || b === undefined) return a ?? b;
  return compare(a, b) < 0 ? a : b;
}

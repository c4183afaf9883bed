/**
 * Options of calls. One that is not known is refused: a misspelt `atLeast` must not read an
 * older state without a word.
 *
 * @module
 */

/**
 * @template {object} T
 * @param {string} what whose options they are
 * @param {T} options
 * @param {string[]} known
 * @returns {T}
 */
export function checked(what, options, known) {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return options;
  throw new TypeError(`${what} has no option \`${unknown}\`; there are ${known.join(", ")}`);
}

// Values as JSON text, and a word on what cannot be written as JSON and where it is.

const { stringify } = JSON;

/** JSON text; `undefined` is `null`. `what` says what the value is, for the error. */
export function toJson(value, what) {
  if (value === undefined) return "null";
  let text;
  try {
    text = stringify(value);
  } catch (error) {
    const offence = offenceIn(value, "", []);
    throw offence === undefined ? error : new TypeError(`${what} cannot be written as JSON: ${offence}`);
  }
  if (text === undefined) {
    throw new TypeError(`${what} cannot be written as JSON: it is a ${typeof value}`);
  }
  return text;
}

/** What JSON has no form for: a BigInt, or an object within itself. */
function offenceIn(value, path, outer) {
  const place = path === "" ? "it" : `\`${path}\``;
  if (typeof value === "bigint") return `${place} is a BigInt; write it as a text`;
  if (typeof value !== "object" || value === null) return undefined;
  if (outer.includes(value)) return `${place} is an object that contains itself`;
  const inner = [...outer, value];
  for (const [name, member] of Object.entries(value)) {
    const step = Array.isArray(value) ? `[${name}]` : path === "" ? name : `.${name}`;
    const offence = offenceIn(member, path + step, inner);
    if (offence !== undefined) return offence;
  }
  return undefined;
}

/** Whether a value is stored as bytes. */
export function isBytes(value) {
  return value instanceof Uint8Array;
}

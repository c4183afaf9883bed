// `structuredClone`, for what a handler may come to hold.

/** A copy that shares nothing with what it was made from. */
export function structuredClone(value) {
  return copy(value, new Map());
}

function copy(value, copies) {
  if (typeof value === "function" || typeof value === "symbol") throw refusal(value);
  if (typeof value !== "object" || value === null) return value;
  if (copies.has(value)) return copies.get(value);
  const made = shell(value, copies);
  copies.set(value, made);
  fill(value, made, (member) => copy(member, copies));
  return made;
}

/** The copy before it has members, so that an object within itself finds it. */
function shell(value, copies) {
  if (Array.isArray(value)) return new Array(value.length);
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof RegExp) return new RegExp(value.source, value.flags);
  if (value instanceof Map) return new Map();
  if (value instanceof Set) return new Set();
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (ArrayBuffer.isView(value)) {
    return new value.constructor(
      copy(value.buffer, copies),
      value.byteOffset,
      value.length ?? value.byteLength,
    );
  }
  if (value instanceof Error) {
    const error = Object.create(Object.getPrototypeOf(value));
    for (const name of ["name", "message", "stack", "cause"]) {
      if (Object.hasOwn(value, name))
        Object.defineProperty(error, name, { value: value[name], configurable: true, writable: true });
    }
    return error;
  }
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) throw refusal(value);
  return {};
}

function fill(value, made, each) {
  if (value instanceof Map) value.forEach((member, key) => made.set(each(key), each(member)));
  else if (value instanceof Set) value.forEach((member) => made.add(each(member)));
  else if (Array.isArray(value) || isPlain(value, made)) {
    for (const [name, member] of Object.entries(value)) made[name] = each(member);
  }
}

function isPlain(value, made) {
  return Object.getPrototypeOf(made) === Object.prototype && !ArrayBuffer.isView(value);
}

function refusal(value) {
  return new DOMException(`${String(value)} cannot be cloned`, "DataCloneError");
}

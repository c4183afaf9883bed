// Values as a person would like to read them in a log.

const DEPTH_MAX = 4;
const MEMBERS_MAX = 100;

/** One line. Texts are themselves at the outside and quoted within. */
export function inspect(value) {
  try {
    return typeof value === "string" ? value : show(value, 0, []);
  } catch {
    // A getter or a proxy that throws: what is logged is no reason for a handler to fail.
    return "[cannot be shown]";
  }
}

function show(value, depth, outer) {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "function":
      return `[function ${value.name || "anonymous"}]`;
    case "object":
      return value === null ? "null" : showObject(value, depth, outer);
    default:
      return String(value);
  }
}

function showObject(value, depth, outer) {
  if (outer.includes(value)) return "[circular]";
  if (value instanceof Error) return value.stack ? `${value}\n${value.stack.trimEnd()}` : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (depth === DEPTH_MAX) return Array.isArray(value) ? "[…]" : "{…}";
  const inner = [...outer, value];
  const each = (member) => show(member, depth + 1, inner);
  const pair = ([name, member]) => `${showName(name)}: ${each(member)}`;
  if (Array.isArray(value)) return list("[", value, each, "]");
  if (value instanceof Map) {
    return list(
      `Map(${value.size}) {`,
      [...value],
      ([key, member]) => `${each(key)} => ${each(member)}`,
      "}",
    );
  }
  if (value instanceof Set) return list(`Set(${value.size}) {`, [...value], each, "}");
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return list(`${value.constructor.name}(${value.length}) [`, Array.from(value), each, "]");
  }
  return list("{", Object.entries(value), pair, "}");
}

function showName(name) {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

function list(open, members, each, close) {
  const shown = members.slice(0, MEMBERS_MAX).map(each);
  if (members.length > MEMBERS_MAX) shown.push(`… ${members.length - MEMBERS_MAX} more`);
  const space = open.endsWith("{") && shown.length > 0 ? " " : "";
  return `${open}${space}${shown.join(", ")}${space}${close}`;
}

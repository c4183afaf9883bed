// What went wrong, in words: for the log when a handler fails, for whoever uploads when a script
// does.

const TEXT_BYTES_MAX = 1024;

// The SDK's own frames, and those of functions that are part of the engine and called by them.
const OWN_FRAME = /\(?chancery-sdk\//;
const PLACE = /\(?([^\s()]+):(\d+):(\d+)\)?$/;

/** What ad-hoc queries are called in stacks. Their text begins on the second line. */
const ADHOC = "<adhoc>";

/** Something thrown, as `TypeError: x is not a function` and lines of a stack. */
export function describe(thrown) {
  if (!(thrown instanceof Error)) return { title: `Uncaught ${showThrown(thrown)}`, stack: [] };
  const name = textOf(thrown, "name") || "Error";
  const message = textOf(thrown, "message");
  const stack = textOf(thrown, "stack")
    .split("\n")
    .filter((line) => line.trim() !== "" && !OWN_FRAME.test(line));
  return { title: message === "" ? name : `${name}: ${message}`, stack: stack.map(shift) };
}

/** The text that the log gets. */
export function failureText(thrown) {
  const { title, stack } = describe(thrown);
  let text = cut(title, TEXT_BYTES_MAX / 2);
  let left = TEXT_BYTES_MAX - bytesOf(text);
  for (const line of stack) {
    left -= bytesOf(line) + 1;
    if (left < 0) break;
    text += `\n${line}`;
  }
  return text;
}

/** Where it was thrown, as far as the script is concerned. */
export function placeOf({ stack }) {
  for (const line of stack) {
    const found = PLACE.exec(line.trim());
    if (found) return { line: Number(found[2]), column: Number(found[3]) };
  }
  return {};
}

/** Lines of an ad-hoc query count from where its author's text begins. */
function shift(line) {
  const found = PLACE.exec(line);
  if (!found || found[1] !== ADHOC) return line;
  return line.replace(`:${found[2]}:`, `:${Number(found[2]) - 1}:`);
}

function showThrown(thrown) {
  try {
    return typeof thrown === "object" && thrown !== null ? JSON.stringify(thrown) : String(thrown);
  } catch {
    return "something that cannot be shown";
  }
}

function textOf(thrown, name) {
  try {
    const value = thrown[name];
    return typeof value === "string" ? value : "";
  } catch {
    return "";
  }
}

/** The beginning of a text, as much as fits into so many bytes. */
function cut(text, bytes) {
  let [left, end] = [bytes - bytesOf("…"), 0];
  for (const character of text) {
    left -= width(character);
    if (left < 0) return `${text.slice(0, end)}…`;
    end += character.length;
  }
  return text;
}

function bytesOf(text) {
  let bytes = 0;
  for (const character of text) bytes += width(character);
  return bytes;
}

function width(character) {
  const point = character.codePointAt(0);
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

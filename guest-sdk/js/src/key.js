// Keys: values as text that sorts as the values do. The form is the server's Rust SDK's
// (guest-sdk/rust/src/key.rs), which both are tested against: test/key-vectors.json.
//
//   text      itself; U+0000 to U+000A become LF and one of 0 to 9 and `:`
//   integer   a letter for the number of digits (A is 1), the digits: 1994 is D1994;
//             below zero `-`, a letter counted back from z, each digit taken from 9
//   boolean   false or true
//   uuid      its usual form in lower case
//
// The components of a tuple are joined by a tab, which is below all they can contain.

const SEPARATOR = "\t";
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS_MAX = 39;
const NEEDS_ESCAPE = /[\0-\n]/;
const ESCAPED = /[\0-\n]/g;
const ESCAPE_PAIR = /\n([0-:])?/g;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** How each type of component is written and read. Both throw a text that says why not. */
const TYPES = {
  text: {
    write(value) {
      if (typeof value !== "string") throw `a text, not ${show(value)}`;
      if (!value.isWellFormed()) throw `a text without lone surrogates, not ${show(value)}`;
      if (!NEEDS_ESCAPE.test(value)) return value;
      return value.replace(ESCAPED, (character) => `\n${String.fromCharCode(character.charCodeAt(0) + 48)}`);
    },
    read(part) {
      if (!NEEDS_ESCAPE.test(part)) return part;
      return part.replace(ESCAPED, refuseUnescaped).replace(ESCAPE_PAIR, (_, code) => {
        if (code === undefined) throw "an escape that stands for nothing";
        return String.fromCharCode(code.charCodeAt(0) - 48);
      });
    },
  },
  integer: {
    write(value) {
      const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
      if (!isWhole) throw `an integer (below 2^53, or a BigInt), not ${show(value)}`;
      const isNegative = value < 0;
      const digits = isNegative ? String(value).slice(1) : String(value);
      const n = digits.length;
      if (n > DIGITS_MAX) throw `an integer of at most ${DIGITS_MAX} digits, not ${show(value)}`;
      return isNegative ? `-${LETTERS[52 - n]}${complement(digits)}` : LETTERS[n - 1] + digits;
    },
    read(part) {
      const isNegative = part[0] === "-";
      const digits = isNegative ? complement(part.slice(2)) : part.slice(1);
      if (!/^[0-9]{1,39}$/.test(digits)) throw "not an integer";
      let value = Number(digits);
      if (!Number.isSafeInteger(value)) value = BigInt(digits);
      // Minus zero is no integer that is written.
      if (isNegative) value = value === 0 ? NaN : -value;
      // Anything that would not be written, such as leading zeros.
      if (Number.isNaN(value) || TYPES.integer.write(value) !== part) throw "not an integer";
      return value;
    },
  },
  boolean: {
    write(value) {
      if (typeof value !== "boolean") throw `true or false, not ${show(value)}`;
      return value ? "true" : "false";
    },
    read(part) {
      if (part === "true") return true;
      if (part === "false") return false;
      throw "not a boolean";
    },
  },
  uuid: {
    write(value) {
      const lower = typeof value === "string" ? value.toLowerCase() : "";
      if (!UUID.test(lower)) throw `a UUID, not ${show(value)}`;
      return lower;
    },
    read(part) {
      if (!UUID.test(part)) throw "not a UUID in lower case";
      return part;
    },
  },
};

function complement(digits) {
  let text = "";
  for (let i = 0; i < digits.length; i += 1) text += 9 - Number(digits[i]);
  return text;
}

function refuseUnescaped(character) {
  if (character === "\n") return character;
  throw "a control character that is not escaped";
}

function show(value) {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** How the texts of two keys are ordered: by the bytes of UTF-8, which are not its UTF-16 units. */
export function compare(a, b) {
  const n = Math.min(a.length, b.length);
  for (let index = 0; index < n; index += 1) {
    const difference = rank(a.charCodeAt(index)) - rank(b.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Units of UTF-16, with surrogates above all other characters, as what they stand for is. */
function rank(unit) {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** The lowest text above all that begin with `prefix`; undefined if there is none. */
export function prefixEnd(prefix) {
  const points = Array.from(prefix, (character) => character.codePointAt(0));
  while (points.length > 0) {
    const last = points.pop();
    if (last < 0x10ffff) {
      // Steps over the surrogates, which are no characters.
      points.push(last === 0xd7ff ? 0xe000 : last + 1);
      return String.fromCodePoint(...points);
    }
  }
  return undefined;
}

/** The keys of a table: of one type, or tuples of several. */
export class Key {
  #types;
  #isTuple;
  #names;

  /** `type` is `"text"`, `"integer"`, `"boolean"`, `"uuid"`, or an array of them. */
  constructor(type = "text") {
    this.#isTuple = Array.isArray(type);
    this.#names = this.#isTuple ? type : [type];
    if (this.#names.length === 0) throw new TypeError("a key has at least one component");
    this.#types = this.#names.map((name) => {
      if (Object.hasOwn(TYPES, name)) return TYPES[name];
      const known = Object.keys(TYPES).join(", ");
      throw new TypeError(`${show(name)} is no type of a key; there are ${known}, and arrays of them`);
    });
    Object.freeze(this);
  }

  /** Such as `text`, or `[text, integer]`. */
  get name() {
    return this.#isTuple ? `[${this.#names.join(", ")}]` : this.#names[0];
  }

  /** The text of a key. */
  encode(key) {
    if (!this.#isTuple) return this.#write(0, key) || SEPARATOR;
    return this.#components(key, true) || SEPARATOR;
  }

  /** The key that a text stands for. */
  decode(text) {
    if (text === "") throw new TypeError("no key is empty");
    if (text === SEPARATOR && this.#types.length === 1) text = "";
    if (!this.#isTuple) return this.#read(0, text);
    const parts = text.split(SEPARATOR);
    const difference = parts.length - this.#types.length;
    if (difference !== 0) {
      throw new TypeError(`${difference > 0 ? "more" : "fewer"} components than the type has`);
    }
    return parts.map((part, index) => this.#read(index, part));
  }

  /** The text that exactly the matching keys begin with: some first components, or a text. */
  prefix(prefix) {
    if (!this.#isTuple) {
      if (this.#names[0] !== "text") throw new TypeError(`keys of type ${this.name} have no prefixes`);
      return this.#write(0, prefix);
    }
    return this.#components(prefix, false) + SEPARATOR;
  }

  /** Whether it is some of the first components, not all. */
  isPart(key) {
    return this.#isTuple && Array.isArray(key) && key.length < this.#types.length;
  }

  #components(key, isWhole) {
    const n = Array.isArray(key) ? key.length : 0;
    const fits = isWhole ? n === this.#types.length : n > 0 && n < this.#types.length;
    if (!fits) {
      const wanted = isWhole ? "an array" : "an array of some first components";
      throw new TypeError(`a key ${this.name} is ${wanted}, not ${showKey(key)}`);
    }
    let text = this.#write(0, key[0]);
    for (let index = 1; index < n; index += 1) text += SEPARATOR + this.#write(index, key[index]);
    return text;
  }

  #write(index, value) {
    try {
      return this.#types[index].write(value);
    } catch (reason) {
      throw typeof reason === "string" ? new TypeError(`a key ${this.name} has ${reason}`) : reason;
    }
  }

  #read(index, part) {
    try {
      if (part.includes(SEPARATOR)) throw "more components than the type has";
      return this.#types[index].read(part);
    } catch (reason) {
      throw typeof reason === "string" ? new TypeError(reason) : reason;
    }
  }
}

function showKey(key) {
  return Array.isArray(key) ? `[${key.map(show).join(", ")}]` : show(key);
}

// Makes what the language brings read-only, so that nothing a handler does to it is there in the
// next call: an instance of commands is kept for many. Scripts may add to it (polyfills do), and
// objects may have members of their own by the names of inherited ones.

const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Object;
const { ownKeys } = Reflect;

// Members that code sets on objects which inherit them: `this.name = "MyError"`,
// `Child.prototype.constructor = Child`. A member that is merely read-only would forbid that.
const SET_ON_HEIRS = new Map([
  [
    Object.prototype,
    [
      "constructor",
      "hasOwnProperty",
      "isPrototypeOf",
      "propertyIsEnumerable",
      "toLocaleString",
      "toString",
      "valueOf",
    ],
  ],
  [Function.prototype, ["constructor", "toString"]],
  [Array.prototype, ["constructor", "push", "toString"]],
  [Promise.prototype, ["constructor", "then", "catch", "finally"]],
]);

for (const Native of [
  Error,
  AggregateError,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
]) {
  SET_ON_HEIRS.set(Native.prototype, ["constructor", "message", "name", "toString"]);
}

// What is not in the global object and can be reached all the same.
const HIDDEN = [
  function () {},
  function* () {},
  async function () {},
  async function* () {},
  [][Symbol.iterator](),
  ""[Symbol.iterator](),
  new Map()[Symbol.iterator](),
  new Set()[Symbol.iterator](),
  "".matchAll(/x/g),
  // Of `map` and its like, and of what `Iterator.from` and `concat` wrap.
  [].values().map((value) => value),
  Iterator.from({ next: () => ({ done: true }) }),
  ...(typeof Iterator.concat === "function" ? [Iterator.concat([])] : []),
];

/** Makes all that can be reached read-only but for these names of the global object. */
export function harden(except) {
  const known = new Set();
  const open = HIDDEN.map(getPrototypeOf);
  close(globalThis, (name) => !except.includes(name), open);
  while (open.length > 0) {
    const target = open.pop();
    const isObject = (typeof target === "object" && target !== null) || typeof target === "function";
    if (!isObject || target === globalThis || known.has(target)) continue;
    known.add(target);
    open.push(getPrototypeOf(target));
    close(target, () => true, open);
  }
}

/** Makes the members of an object read-only, and finds what is reached by them. */
function close(target, isMeant, open) {
  for (const name of ownKeys(target)) {
    const { value, writable, get, set, configurable } = getOwnPropertyDescriptor(target, name);
    open.push(value, get, set);
    if (!configurable || !isMeant(name)) continue;
    if (SET_ON_HEIRS.get(target)?.includes(name)) setOnHeirs(target, name, value);
    else if (writable) defineProperty(target, name, { writable: false, configurable: false });
    else defineProperty(target, name, { configurable: false });
  }
}

function setOnHeirs(target, name, inherited) {
  const member = {
    get [name]() {
      return inherited;
    },
    set [name](value) {
      if (this === target) throw new TypeError(`'${String(name)}' is read-only`);
      defineProperty(this, name, { value, configurable: true, enumerable: true, writable: true });
    },
  };
  const { get, set } = getOwnPropertyDescriptor(member, name);
  defineProperty(target, name, { get, set, configurable: false });
}

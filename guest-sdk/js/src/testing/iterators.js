// The methods of iterators that the server's engine has and Node.js has from version 22: without
// them a handler that uses `scan().map(…)` could not be tested on version 20.

const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

const lazy = {
  *map(each) {
    let index = 0;
    for (const value of this) yield each(value, index++);
  },
  *filter(isWanted) {
    let index = 0;
    for (const value of this) if (isWanted(value, index++)) yield value;
  },
  *take(n) {
    if (n <= 0) return;
    for (const value of this) {
      yield value;
      if (--n <= 0) return;
    }
  },
  *drop(n) {
    for (const value of this) if (n-- <= 0) yield value;
  },
  *flatMap(each) {
    let index = 0;
    for (const value of this) yield* each(value, index++);
  },
};

const eager = {
  toArray() {
    return [...this];
  },
  forEach(each) {
    [...this].forEach((value, index) => each(value, index));
  },
  reduce(...given) {
    return [...this].reduce(...given);
  },
  some(is) {
    let index = 0;
    for (const value of this) if (is(value, index++)) return true;
    return false;
  },
  every(is) {
    let index = 0;
    for (const value of this) if (!is(value, index++)) return false;
    return true;
  },
  find(is) {
    let index = 0;
    for (const value of this) if (is(value, index++)) return value;
    return undefined;
  },
};

for (const [name, value] of Object.entries({ ...lazy, ...eager })) {
  if (!(name in IteratorPrototype)) {
    Object.defineProperty(IteratorPrototype, name, { value, configurable: true, writable: true });
  }
}

// Names: JavaScript's as handlers write them, the server's in kebab-case.

/** `stockOf` and `stock_of` as the server knows them, `stock-of`; kebab-case as it is. */
export function kebab(name) {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .replace(/_/g, "-")
    .toLowerCase();
}

// Names: JavaScript's as handlers write them, the server's in kebab-case.

const [UPPER_A, UPPER_Z, UNDERSCORE] = [65, 90, 95];

/** `stockOf` and `stock_of` as the server knows them, `stock-of`; kebab-case as it is. */
export function kebab(name) {
  // By hand, since it is done at each command that is scheduled and for each name of an app.
  let [text, start] = ["", 0];
  for (let index = 0; index < name.length; index += 1) {
    const unit = name.charCodeAt(index);
    if (unit !== UNDERSCORE && !isUpper(unit)) continue;
    text += name.slice(start, index);
    if (unit === UNDERSCORE) text += "-";
    else text += (beginsWord(name, index) ? "-" : "") + name[index].toLowerCase();
    start = index + 1;
  }
  return start === 0 ? name : text + name.slice(start);
}

function isUpper(unit) {
  return unit >= UPPER_A && unit <= UPPER_Z;
}

/** Whether a capital begins a word: after a small letter, or as the last of several before one. */
function beginsWord(name, index) {
  if (index === 0) return false;
  const before = name.charCodeAt(index - 1);
  if (before === UNDERSCORE || name[index - 1] === "-") return false;
  if (!isUpper(before)) return true;
  const after = name.charCodeAt(index + 1);
  return after >= 97 && after <= 122;
}

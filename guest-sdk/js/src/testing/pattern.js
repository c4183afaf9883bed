// Patterns of event types, as the server matches them.

/** `*` stands for any one word, `**` at the end for any number of them, none included. */
export function matches(pattern, type) {
  const words = type.split(".");
  const wanted = pattern.split(".");
  for (const [index, word] of wanted.entries()) {
    if (word === "**") return true;
    if (words[index] === undefined || (word !== "*" && word !== words[index])) return false;
  }
  return words.length === wanted.length;
}

// Chance that is none: the same numbers whenever a call is made again, from a text that
// says which call it is.

/** Four words of 32 bits that depend on every character of a text (after cyrb128). */
function hash(text) {
  let [a, b, c, d] = [1779033703, 3144134277, 1013904242, 2773480762];
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    a = b ^ Math.imul(a ^ unit, 597399067);
    b = c ^ Math.imul(b ^ unit, 2869860233);
    c = d ^ Math.imul(c ^ unit, 951274213);
    d = a ^ Math.imul(d ^ unit, 2716044179);
  }
  a = Math.imul(c ^ (a >>> 18), 597399067);
  b = Math.imul(d ^ (b >>> 22), 2869860233);
  c = Math.imul(a ^ (c >>> 17), 951274213);
  d = Math.imul(b ^ (d >>> 19), 2716044179);
  return [a ^ b ^ c ^ d, b ^ a, c ^ a, d ^ a];
}

/** A function that gives the next word of 32 bits (sfc32), seeded by a text. */
export function words(seed) {
  let [a, b, c, d] = hash(seed);
  const next = () => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round += 1) next();
  return next;
}

/** A number from 0 to 1, of 53 bits, as `Math.random` gives it. */
export function fraction(next) {
  return ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
}

/** A UUID of version 4. */
export function uuid(next) {
  const hex = (word) => word.toString(16).padStart(8, "0");
  const text =
    hex(next()) +
    hex(((next() & 0xffff0fff) | 0x4000) >>> 0) +
    hex(((next() & 0x3fffffff) | 0x80000000) >>> 0) +
    hex(next());
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`;
}

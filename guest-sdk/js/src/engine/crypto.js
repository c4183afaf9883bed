// `Math.random` and `crypto`, which give the same whenever a call is made again.

import { host } from "./host.js";
import { fraction, uuid, words } from "./random.js";

let next;
let seedOf = () => "";
let isTransaction = false;

/** Begins a call: `seed` gives the text that says which one, if chance is asked for. */
export function reseed(seed, isCommand) {
  next = undefined;
  seedOf = seed;
  isTransaction = isCommand;
}

function word() {
  next ??= words(seedOf());
  return next();
}

export function random() {
  return fraction(word);
}

export const crypto = Object.freeze({
  /** In a command, one of the ids that the server derives from the command's. */
  randomUUID() {
    return isTransaction ? host.newId() : uuid(word);
  },

  getRandomValues(array) {
    if (
      !ArrayBuffer.isView(array) ||
      array instanceof DataView ||
      array instanceof Float32Array ||
      array instanceof Float64Array
    ) {
      throw new TypeError("getRandomValues fills an array of integers, such as a Uint8Array");
    }
    if (array.byteLength > 65536) throw new RangeError("getRandomValues fills at most 65,536 bytes at once");
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let index = 0; index < bytes.length; index += 1) bytes[index] = word() & 0xff;
    return array;
  },
});

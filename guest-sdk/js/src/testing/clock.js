// Time and chance, as handlers find them on the server: those of the call, not of the machine.

import { fraction, uuid, words } from "../engine/random.js";

/** Runs something with `Date`, `Math.random` and `crypto.randomUUID` as of a time and a seed. */
export function at(timeMs, seed, newId, run) {
  const RealDate = globalThis.Date;
  const realRandom = Math.random;
  const realUuid = crypto.randomUUID;
  const next = words(seed);
  globalThis.Date = class Date extends RealDate {
    constructor(...given) {
      super(...(given.length === 0 ? [timeMs] : given));
    }

    // Dates that were made before are dates too.
    static [Symbol.hasInstance](value) {
      return value instanceof RealDate;
    }

    static now() {
      return timeMs;
    }
  };
  Math.random = () => fraction(next);
  crypto.randomUUID = newId ?? (() => uuid(next));
  try {
    return run();
  } finally {
    globalThis.Date = RealDate;
    Math.random = realRandom;
    crypto.randomUUID = realUuid;
  }
}

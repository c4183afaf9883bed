// How a handler refuses.

const CODE = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const CODE_MAX = 64;

/** What `reject` throws. Handlers may catch it, or make one and throw it themselves. */
export class Rejection extends Error {
  #isRejection = true;

  constructor(code, message, details, { events = [] } = {}) {
    super(message);
    if (typeof code !== "string" || code.length > CODE_MAX || !CODE.test(code)) {
      throw new TypeError(
        `the code of a rejection is 1 to ${CODE_MAX} letters in kebab-case, such as "out-of-stock"; ` +
          `this is ${String(code)}`,
      );
    }
    if (typeof message !== "string") {
      throw new TypeError(`the rejection "${code}" needs a message for people: one sentence`);
    }
    Object.defineProperty(this, "name", { value: "Rejection", configurable: true, writable: true });
    this.code = code;
    this.details = details;
    this.events = events;
  }

  /** Whether something thrown is a rejection. It cannot be pretended. */
  static is(thrown) {
    return typeof thrown === "object" && thrown !== null && #isRejection in thrown;
  }
}

Object.freeze(Rejection);
Object.freeze(Rejection.prototype);

/**
 * Refuses: nothing that the command staged is kept, and the client gets the code, the message
 * and the details. Of a command, `events` are recorded all the same.
 */
export function reject(code, message, details, options) {
  throw new Rejection(code, message, details, options);
}

Object.freeze(reject);

// What scripts find in the global object besides the language: what is there, and what is not
// there and why.

import { structuredClone } from "./clone.js";
import { console } from "./console.js";
import { crypto, random } from "./crypto.js";
import { harden } from "./harden.js";
import { TextDecoder, TextEncoder } from "./text.js";

const LATER =
  "a handler runs to its end at once; to do something later, schedule a command: tx.schedule(at, name, input)";
const OUTSIDE =
  "a handler reaches nothing outside the server; let a reaction to an event or a webhook do it, and its outcome be a command";

const ABSENT = {
  setTimeout: LATER,
  setInterval: LATER,
  setImmediate: LATER,
  requestAnimationFrame: LATER,
  fetch: OUTSIDE,
  XMLHttpRequest: OUTSIDE,
  WebSocket: OUTSIDE,
  EventSource: OUTSIDE,
  require: 'there are no modules to require; bundle what you import into one file ("chancery build" does)',
};

function define(target, name, value) {
  Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: false });
}

for (const [name, reason] of Object.entries(ABSENT)) {
  // Not an arrow function: `new WebSocket()` is to say it too.
  define(globalThis, name, function absent() {
    throw new Error(`there is no ${name} here: ${reason}`);
  });
}

for (const [name, value] of Object.entries({ console, crypto, structuredClone, TextDecoder, TextEncoder })) {
  define(globalThis, name, value);
}

define(Math, "random", random);

// The engine's own drops what is thrown. Of a promise that nobody waits for it is reported.
const resolved = Promise.resolve();
const { then } = Promise.prototype;

define(globalThis, "queueMicrotask", function queueMicrotask(callback) {
  if (typeof callback !== "function") throw new TypeError("queueMicrotask takes a function");
  then.call(resolved, () => callback());
});

// When they call back depends on the heap, and so on the age of the instance.
delete globalThis.WeakRef;
delete globalThis.FinalizationRegistry;

// The engine reads them by setters, which would reach into later calls.
for (const name of ["prepareStackTrace", "stackTraceLimit"]) {
  if (name in Error) define(Error, name, Error[name]);
}

// What is absent may be put there by whoever needs something of that name.
harden(Object.keys(ABSENT));

// Calls of an app's handlers: finds the one that is meant, gives it what it is to see, and waits
// for what it returns.

import { Rejection } from "./reject.js";
import { newCommand, State, Transaction, View } from "./state.js";

/**
 * The handlers of an app over a host. Each function calls one and returns what it returned, or
 * throws what it threw.
 */
export function bind(definition, host) {
  const call = { current: undefined };
  const tables = [...definition.tables];
  const state = new State(host, call, tables);
  const transaction = new Transaction(host, call, tables);
  const views = new Map();
  for (const [name, projection] of definition.projections) {
    const own = tables.filter(([, table]) => projection.tables.includes(table.name));
    views.set(name, new View(host, own));
  }

  /** `current` is what the handler may ask about its call. */
  function run(current, handler, ...given) {
    call.current = current;
    return settle(host, handler.name, handler.run(...given));
  }

  return Object.freeze({
    query(request, input) {
      return run(request, find(definition.queries, request.name, "query"), state, input);
    },
    execute(command, input) {
      return run(command, find(definition.commands, command.name, "command"), transaction, input);
    },
    project(name, event) {
      const projection = find(definition.projections, name, "projection");
      run(undefined, projection, views.get(name), event);
    },
    react(name, event) {
      const returned = run(undefined, find(definition.reactions, name, "reaction"), state, event);
      return commandsOf(name, returned);
    },
  });
}

function find(handlers, name, kind) {
  const handler = handlers.get(name);
  if (handler === undefined) throw new Rejection(`unknown-${kind}`, `There is no ${kind} \`${name}\`.`);
  return handler;
}

function isThenable(value) {
  return typeof value === "object" && value !== null && typeof value.then === "function";
}

/** What a handler returned or, of an `async` one, what its promise became. */
export function settle(host, name, returned) {
  if (!isThenable(returned)) {
    // What it began without waiting for it still belongs to this call.
    host.drain();
    return returned;
  }
  let settled;
  returned.then(
    (value) => (settled = { value }),
    (thrown) => (settled = { thrown }),
  );
  host.drain(name);
  if (settled === undefined) {
    throw new TypeError(
      `\`${name}\` returned a promise that never settles: there is nothing to wait for in a handler, ` +
        "no timers and no network",
    );
  }
  if ("thrown" in settled) throw settled.thrown;
  return settled.value;
}

function commandsOf(name, returned) {
  if (returned === undefined || returned === null) return [];
  const isList = typeof returned === "object" && typeof returned[Symbol.iterator] === "function";
  const commands = isList ? [...returned] : [returned];
  return commands.map((command) => {
    if (typeof command !== "object" || command === null) {
      throw new TypeError(`the reaction "${name}" returned ${String(command)} where a command was expected`);
    }
    return newCommand(command);
  });
}

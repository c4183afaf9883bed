// What an app is made of: `app()` checks what was declared and says what is wrong with it.

import { Key } from "./key.js";
import { kebab } from "./names.js";
import { TAKEN } from "./state.js";

const definitions = new WeakMap();
const { get, set } = WeakMap.prototype;

const MEMBERS = [
  "description",
  "tables",
  "events",
  "queries",
  "commands",
  "projections",
  "reactions",
  "onDeploy",
];

/** Declares a module: its tables, events, queries, commands, projections and reactions. */
export function app(declared) {
  checkMembers("app()", declared, MEMBERS);
  const tables = collect("tables", declared.tables, table);
  const definition = {
    description: text("description", declared.description),
    tables,
    events: new Map(entries("events", declared.events).map(([type, value]) => [type, event(type, value)])),
    queries: collectNamed("queries", declared.queries, handler),
    commands: collectNamed("commands", declared.commands, handler),
    projections: collectNamed("projections", declared.projections, projection(tables)),
    reactions: collectNamed("reactions", declared.reactions, reaction),
    onDeploy: undefined,
  };
  if (declared.onDeploy !== undefined) {
    const onDeploy = handler("onDeploy", declared.onDeploy);
    if (definition.commands.has("on-deploy"))
      fail("commands.onDeploy", "has the name of the top-level `onDeploy`");
    definition.commands.set("on-deploy", { ...onDeploy, input: onDeploy.input ?? { type: "object" } });
    definition.onDeploy = "on-deploy";
  }
  const made = Object.freeze({ description: definition.description });
  set.call(definitions, made, Object.freeze(definition));
  return made;
}

/** What was given to `app()`; `undefined` if this is not what it returned. */
export function definitionOf(made) {
  return typeof made === "object" && made !== null ? get.call(definitions, made) : undefined;
}

function table(path, declared) {
  const property = path.slice("tables.".length);
  if (TAKEN.includes(property)) {
    fail(
      path,
      `is a name that handlers have already; call it something else, and not one of ${TAKEN.join(", ")}`,
    );
  }
  checkMembers(path, declared, ["key", "row", "description", "adopt"]);
  try {
    return {
      name: kebab(property),
      key: new Key(declared.key),
      description: text(`${path}.description`, declared.description),
      adopt: declared.adopt === true,
    };
  } catch (error) {
    return fail(`${path}.key`, error.message);
  }
}

function event(type, declared) {
  const path = `events["${type}"]`;
  checkMembers(path, declared, ["description", "schema"]);
  return { description: text(`${path}.description`, declared.description), schema: declared.schema };
}

function handler(path, declared) {
  const written = typeof declared === "function" ? { run: declared } : declared;
  checkMembers(path, written, ["run", "description", "input", "output"]);
  const { run, description, input, output } = written;
  return {
    name: nameIn(path),
    run: method(path, "run", run, written),
    description: text(path, description),
    input,
    output,
  };
}

function projection(tables) {
  return (path, declared) => {
    checkMembers(path, declared, ["project", "description", "version", "on", "tables"]);
    const { project, description, version = 1, on } = declared;
    const own = (declared.tables ?? []).map((name) => {
      const named = tables.get(name) ?? [...tables.values()].find((other) => other.name === name);
      return named === undefined
        ? fail(`${path}.tables`, `"${name}" is not among the app's \`tables\``)
        : named.name;
    });
    return {
      name: nameIn(path),
      run: method(path, "project", project, declared),
      description: text(path, description),
      version,
      on: patterns(path, on),
      tables: own,
    };
  };
}

function reaction(path, declared) {
  checkMembers(path, declared, ["react", "description", "on", "from"]);
  const { react, description, on, from = "now" } = declared;
  if (from !== "now" && from !== "start") fail(`${path}.from`, `is "now" or "start", not ${String(from)}`);
  return {
    name: nameIn(path),
    run: method(path, "react", react, declared),
    description: text(path, description),
    on: patterns(path, on),
    from,
  };
}

function patterns(path, on) {
  const list = typeof on === "string" ? [on] : on;
  if (!Array.isArray(list) || list.length === 0 || list.some((pattern) => typeof pattern !== "string")) {
    fail(`${path}.on`, 'lists patterns of event types, such as ["order.*"]');
  }
  return [...list];
}

function method(path, name, found, declared) {
  if (typeof found !== "function") {
    const wanted =
      name === "run"
        ? "a function, or an object with a function `run`"
        : `an object with a function \`${name}\``;
    fail(path, `is ${wanted}`);
  }
  return found.bind(declared);
}

/** By the names that handlers use. */
function collect(path, declared, read) {
  return new Map(entries(path, declared).map(([name, value]) => [name, read(`${path}.${name}`, value)]));
}

/** By the names that the server uses. */
function collectNamed(path, declared, read) {
  const all = new Map();
  for (const [name, value] of entries(path, declared)) {
    const known = kebab(name);
    if (all.has(known)) fail(`${path}.${name}`, `is \`${known}\` for the server, and so is another`);
    all.set(known, read(`${path}.${name}`, value));
  }
  return all;
}

function entries(path, declared) {
  if (declared === undefined) return [];
  checkObject(path, declared);
  return Object.entries(declared);
}

function checkMembers(path, declared, known) {
  checkObject(path, declared);
  for (const name of Object.keys(declared)) {
    if (!known.includes(name)) fail(path, `has no member \`${name}\`; it has ${known.join(", ")}`);
  }
}

function checkObject(path, declared) {
  const isObject = typeof declared === "object" && declared !== null && !Array.isArray(declared);
  if (!isObject) fail(path, `is an object, not ${String(declared)}`);
}

function text(path, description = "") {
  if (typeof description !== "string") fail(path, "has a description that is no text");
  return description;
}

function nameIn(path) {
  return path.slice(path.indexOf(".") + 1);
}

function fail(path, reason) {
  throw new TypeError(`${path} ${reason}`);
}

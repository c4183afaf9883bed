// What the base component calls. Nothing here throws: a refusal is an object with `code`, and
// `null` means that the handler failed and the log says how.

import "./prelude.js";

import * as sdk from "../index.js";
import { definitionOf } from "../app.js";
import { bind, settle } from "../calls.js";
import { isBytes, toJson } from "../json.js";
import { Key } from "../key.js";
import { manifest } from "../manifest.js";
import { Rejection } from "../reject.js";
import { Table } from "../table.js";
import { logError } from "./console.js";
import { reseed } from "./crypto.js";
import { host } from "./host.js";
import { describe as describeThrown, failureText, placeOf } from "./report.js";

const { parse } = JSON;

/** What the engine says of an import of the SDK that is not there. */
const NO_EXPORT = /^SyntaxError: Could not find export '(.*)' in module 'chancery-sdk\/index\.js'$/;

let definition;
let handlers;

/** Makes the default export of a script the app; a refusal if it is none. */
export function install(exported, name) {
  definition = definitionOf(exported);
  if (definition === undefined) {
    const wanted = "it must have `export default app({ … })`";
    const message =
      exported === undefined
        ? `${name} has no default export; ${wanted}.`
        : `${name} has a default export that app() did not make; ${wanted}, with the app() of ` +
          '"chancery-sdk", which a bundler has to leave out (external).';
    return failure("no-app", message, undefined);
  }
  handlers = bind(definition, host);
  return "null";
}

/** The manifest as JSON. */
export function describe() {
  return attempt(() => {
    if (definition === undefined) throw new Error("no script was loaded");
    return toJson(manifest(definition), "the manifest");
  });
}

export function query(name, input, caller, metadata) {
  reseed(() => `${host.sequence()} ${name} ${toJson(input, "the input")}`, false);
  return attempt(() =>
    result(handlers.query(request(name, caller, metadata), input), `the result of query "${name}"`),
  );
}

export function execute(
  id,
  name,
  input,
  sequence,
  timeMs,
  scheduledForMs,
  basis,
  caller,
  correlationId,
  causationId,
  metadata,
) {
  reseed(() => id, true);
  const command = {
    id,
    name,
    sequence,
    timeMs,
    scheduledFor: scheduledForMs === undefined ? undefined : new Date(scheduledForMs),
    basis,
    caller: read(caller),
    correlationId,
    causationId,
    metadata: read(metadata),
  };
  return attempt(() => result(handlers.execute(command, input), `the result of command "${name}"`));
}

export function project(name, ...fields) {
  return attempt(() => {
    handlers.project(name, event(name, ...fields));
    return "null";
  });
}

export function react(name, ...fields) {
  return attempt(() => handlers.react(name, event(name, ...fields)));
}

/** Calls the function that an ad-hoc query was made into. */
export function adhoc(run, name, input, caller, metadata) {
  reseed(() => `${host.sequence()} ${name} ${toJson(input, "the input")}`, false);
  const table = (named, { key } = {}) => new Table(host, named, new Key(key));
  try {
    const answer = settle(host, "adhoc", run(table, input, host.sequence()));
    return result(collect(answer), "the result");
  } catch (thrown) {
    return Rejection.is(thrown) ? refusal(thrown) : refuse(thrown, "failed", name, undefined);
  }
}

/** What is said of a script that could not be read (`stage` is `syntax`) or evaluated. */
export function refuse(thrown, stage, name, specifier) {
  if (specifier !== undefined && specifier !== null) {
    const message =
      `\`${specifier}\` cannot be imported: a script is one file that imports "chancery-sdk" alone; ` +
      "bundle the rest into it (`chancery build` and `chancery deploy` do).";
    return failure("unsupported-import", message, { specifier });
  }
  const described = describeThrown(thrown);
  const missing = NO_EXPORT.exec(described.title);
  if (missing !== null) {
    const message = `"chancery-sdk" exports no \`${missing[1]}\`; it has ${Object.keys(sdk).join(", ")}.`;
    return failure("unsupported-import", message, { specifier: "chancery-sdk" });
  }
  const place = placeOf(described);
  if (stage === "syntax") return failure("syntax-error", described.title, place);
  return failure("script-failed", described.title, { stack: described.stack.join("\n"), ...place });
}

/** What can be gone through becomes an array, what is by name an object. */
function collect(answer) {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer) || isBytes(answer))
    return answer;
  if (answer instanceof Map) return Object.fromEntries(answer);
  return typeof answer[Symbol.iterator] === "function" ? Array.from(answer) : answer;
}

function attempt(call) {
  try {
    return call();
  } catch (thrown) {
    try {
      if (Rejection.is(thrown)) return refusal(thrown);
      logError(failureText(thrown));
    } catch (another) {
      logError(failureText(another));
    }
    return null;
  }
}

function result(value, what) {
  return isBytes(value) ? value : toJson(value, what);
}

function refusal({ code, message, details, events }) {
  const written = Array.from(events, ({ type, subject, data }) => ({
    type,
    subject: subject ?? undefined,
    data: toJson(data, `the data of the event "${type}"`),
  }));
  return { ...failure(code, message, details), events: written };
}

function failure(code, message, details) {
  return {
    code,
    message: message.toWellFormed(),
    details: details === undefined ? undefined : toJson(details, "the details"),
    events: [],
  };
}

function request(name, caller, metadata) {
  return { name, caller: read(caller), metadata: read(metadata) };
}

/** JSON that need not be there, and mostly says nothing. */
function read(json) {
  if (json === undefined) return undefined;
  return json === "{}" ? {} : parse(json);
}

function event(
  handler,
  position,
  id,
  type,
  subject,
  timeMs,
  data,
  sequence,
  commandId,
  correlationId,
  causationId,
  moduleHash,
  metadata,
) {
  reseed(() => `${id} ${handler}`, false);
  return {
    position,
    id,
    type,
    subject,
    time: new Date(timeMs),
    timeMs,
    data,
    sequence,
    commandId,
    correlationId,
    causationId,
    moduleHash,
    metadata: read(metadata),
  };
}

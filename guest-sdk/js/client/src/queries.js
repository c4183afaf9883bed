/**
 * Queries, asked once: with what the client has seen, and without what it has already.
 *
 * @module
 */

import { parsed } from "./http.js";
import { checked } from "./options.js";
import { retrying } from "./retry.js";

/** Longer addresses are not for every proxy; the input is the body then. */
const URL_CHARS_MAX = 4_000;
/** How many answers are kept, and how long one may be, in bytes. */
const KEPT_MAX = { answers: 100, bytes: 64 << 10 };

/** Whoever asks, and remembers what the answers were. */
export class Asker {
  #http;
  #seen;
  #readYourWrites;
  /** Answers by the address that they are from, the latest last. */
  #kept = new Map();

  constructor(http, seen, readYourWrites) {
    this.#http = http;
    this.#seen = seen;
    this.#readYourWrites = readYourWrites;
  }

  /** @returns the result, and the state that it is of */
  async ask(name, input, options, patience) {
    checked("a query", options, ["atLeast", "asOf", "signal"]);
    return retrying(() => this.#ask(name, input, options, patience.signal), patience);
  }

  /**
   * The state that is to be waited for: as the caller says, or else with all that this
   * client has receipts of.
   */
  least({ atLeast, asOf }) {
    const own = atLeast === undefined && asOf === undefined && this.#readYourWrites;
    return own ? this.#seen.sequence || undefined : (atLeast ?? undefined);
  }

  /** The header to be sent if a request names a sequence. */
  header({ atLeast, asOf }) {
    const named = this.least({ atLeast, asOf }) ?? asOf;
    return named === undefined ? {} : this.#seen.header();
  }

  /**
   * What to do when the app has another history. Sequences of the old one are forgotten; if
   * it was only this client that cared for them, it may ask again.
   */
  mayAskAgain(error, { atLeast, asOf }) {
    if (error.kind !== "history-changed") return false;
    this.#seen.forget();
    return (atLeast ?? asOf ?? undefined) === undefined;
  }

  async #ask(name, input, options, signal) {
    try {
      return await this.#send(name, input, options, signal);
    } catch (error) {
      if (!this.mayAskAgain(error, options)) throw error;
      return await this.#send(name, input, options, signal);
    }
  }

  async #send(name, input, options, signal) {
    const { asOf } = options;
    const at = { at_least: this.least(options), as_of: asOf };
    const headers = this.header(options);
    const text = JSON.stringify(input);
    const key = this.#http.url(["queries", name], { input: text });
    if (key.length > URL_CHARS_MAX) {
      const url = this.#http.url(["queries", name], at);
      return answerOf(await this.#http.send({ method: "POST", url, headers, body: text, signal }));
    }
    const kept = asOf === undefined ? this.#kept.get(key) : undefined;
    if (kept !== undefined) headers["if-none-match"] = kept.headers.get("etag");
    const url = this.#http.url(["queries", name], { input: text, ...at });
    const answer = await this.#http.send({ url, headers, signal });
    if (answer.status === 304) return answerOf(kept);
    if (asOf === undefined) this.#keep(key, answer);
    return answerOf(answer);
  }

  #keep(key, answer) {
    this.#kept.delete(key);
    if (!answer.headers.has("etag") || answer.body.length > KEPT_MAX.bytes) return;
    this.#kept.set(key, answer);
    if (this.#kept.size > KEPT_MAX.answers) this.#kept.delete(this.#kept.keys().next().value);
  }
}

/** Each time a new one: what its reader does with it is no concern of the next. */
function answerOf(answer) {
  const { headers, body } = answer;
  const isJson = headers.get("content-type")?.startsWith("application/json");
  return {
    result: isJson ? parsed(answer) : body.slice(),
    sequence: Number(headers.get("chancery-sequence")),
    history: headers.get("chancery-history"),
    behind: behind(headers.get("chancery-projections-behind") ?? ""),
  };
}

/** Projections that are not as new as the state, with the last event that is in them. */
function behind(text) {
  const parts = text.split(", ").filter((part) => part !== "");
  return parts.map((part) => {
    const [projection, position] = part.split("@");
    return { projection, position: Number(position) };
  });
}

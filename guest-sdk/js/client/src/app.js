/**
 * An app as its client sees it: what can be done with it, and the settings of all that.
 *
 * @module
 */

import { readReceipt, submit } from "./commands.js";
import { followEvents, readEvents } from "./events.js";
import { Http } from "./http.js";
import { followQuery } from "./live.js";
import { checked } from "./options.js";
import { Asker } from "./queries.js";
import { Seen } from "./seen.js";

/** How long a call goes on trying after its first failure, in milliseconds. */
const RETRY_FOR_MS = 30_000;

const OPTIONS = ["app", "token", "headers", "retryFor", "onRetry", "readYourWrites", "fetch"];

/**
 * A client of an app. Nothing is sent before it is asked for something.
 *
 * @param {string | URL} url where the server is
 * @param {import("./index.js").ConnectOptions} [options]
 */
export function connect(url, options = {}) {
  return new Client(url, checked("a client", options, OPTIONS));
}

class Client {
  #http;
  #patience;
  #asker;
  #seen = new Seen();

  constructor(url, options) {
    const { app = "main", token, headers, retryFor = RETRY_FOR_MS, onRetry } = options;
    const { readYourWrites = true, fetch = globalThis.fetch } = options;
    // Browsers want their own called as theirs.
    const request = (...args) => fetch(...args);
    this.#http = new Http(url, { app, token, headers, fetch: request });
    this.#patience = { retryFor, onRetry };
    this.#asker = new Asker(this.#http, this.#seen, readYourWrites);
  }

  get history() {
    return this.#seen.history;
  }

  get sequence() {
    return this.#seen.sequence;
  }

  command(name, input, options = {}) {
    return submit(this.#http, this.#seen, name, input, options, this.#until(options));
  }

  receipt(id, options = {}) {
    return readReceipt(this.#http, this.#seen, id, options, this.#until(options));
  }

  query(name, input, options = {}) {
    return this.#asker.ask(name, input, options, this.#until(options));
  }

  live(name, input, options = {}) {
    return followQuery(this.#http, this.#asker, name, input, options, this.#until(options));
  }

  events(options = {}) {
    return followEvents(this.#http, options, this.#until(options));
  }

  eventsPage(options = {}) {
    return readEvents(this.#http, options, this.#until(options));
  }

  /** How long one call may go on trying: as the client was told, or until it is stopped. */
  #until({ signal }) {
    return { ...this.#patience, signal };
  }
}

/**
 * One request and its answer. It repeats nothing: `retry.js` says what may be repeated.
 *
 * @module
 */

import { errorOf, unanswered } from "./errors.js";

/**
 * How long nothing may come of an answer, beyond what the server was asked to wait, in
 * milliseconds.
 */
const SILENCE_MAX_MS = 30_000;

/** One app on one server. */
export class Http {
  #base;
  #headers;
  #fetch;

  constructor(url, { app, token, headers, fetch }) {
    const base = new URL(url);
    this.#base = `${base.origin}${base.pathname.replace(/\/+$/, "")}/v1/apps/${encodeURIComponent(app)}`;
    this.#headers = { ...headers };
    if (token !== undefined) this.#headers.authorization = `Bearer ${token}`;
    this.#fetch = fetch;
  }

  /** The address of what is below the app's path; parameters that are absent are left out. */
  url(segments, query = {}) {
    const path = segments.map((segment) => `/${encodeURIComponent(segment)}`).join("");
    const pairs = Object.entries(query).flatMap(([name, value]) => {
      const values = Array.isArray(value) ? value : [value];
      const given = values.filter((one) => one !== undefined && one !== null);
      return given.map((one) => `${name}=${encodeURIComponent(String(one))}`);
    });
    return `${this.#base}${path}${pairs.length === 0 ? "" : `?${pairs.join("&")}`}`;
  }

  /**
   * Sends a request and gives its answer, read to the end.
   *
   * @param {{ method?: string, url: string, headers?: object, body?: string,
   *   signal?: AbortSignal, waitMs?: number, command?: { id: string, name?: string },
   *   seen?: (headers: Headers) => void }} request `waitMs` is how long the server was asked to
   *   wait, `command` what errors are about, and `seen` is told of each answer, also a refusal
   * @returns {Promise<{ status: number, headers: Headers, body: Uint8Array }>}
   */
  async send(request) {
    const limit = limited(request.signal, SILENCE_MAX_MS + (request.waitMs ?? 0));
    try {
      const response = await this.#begin(request, limit.controller.signal);
      limit.hold();
      const body = await read(response, limit.controller, request.command);
      request.seen?.(response.headers);
      if (response.ok || response.status === 304) {
        return { status: response.status, headers: response.headers, body };
      }
      throw refusal(response, body, request.command);
    } finally {
      limit.end();
    }
  }

  /**
   * Sends a request whose answer goes on, and gives its body as it comes. The signal
   * ends it at any time.
   *
   * @returns {Promise<ReadableStream<Uint8Array>>}
   */
  async open(request, signal) {
    const limit = limited(signal, SILENCE_MAX_MS);
    try {
      const headers = { ...request.headers, accept: "text/event-stream" };
      const response = await this.#begin({ ...request, headers }, limit.controller.signal);
      limit.hold();
      if (!response.ok) throw refusal(response, await read(response, limit.controller));
      const type = response.headers.get("content-type") ?? "";
      if (response.body === null || !type.startsWith("text/event-stream")) {
        await response.body?.cancel();
        const detail = `the answer is no stream of events but \`${type}\``;
        throw unanswered("odd-answer", detail, { status: response.status });
      }
      return response.body;
    } catch (error) {
      limit.end();
      throw error;
    }
  }

  async #begin({ method = "GET", url, headers, body, command }, signal) {
    const all = { ...this.#headers, ...headers };
    if (body !== undefined) all["content-type"] = "application/json";
    try {
      // What a browser keeps may be of another state than it says.
      return await this.#fetch(url, { method, headers: all, body, signal, cache: "no-store" });
    } catch (error) {
      throw unanswered("no-answer", `no answer from ${url}: ${reasonOf(error)}${hint(url)}`, {
        id: command?.id,
        cause: error,
      });
    }
  }
}

/** JSON, as the body of an answer that must be. */
export function parsed({ status, body }, command) {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    const detail = `the answer is not JSON: ${error.message}`;
    throw unanswered("odd-answer", detail, { id: command?.id, status, cause: error });
  }
}

/** What a browser does not tell its page: that it may not read the answer. */
function hint(url) {
  const page = globalThis.location?.origin;
  if (page === undefined || page === new URL(url).origin) return "";
  return `; if the server is there, is ${page} among its \`cors-origins\`?`;
}

/** Why there is no answer: what is behind the `fetch failed` of Node, if it tells. */
function reasonOf(error) {
  const cause = error?.cause;
  return cause?.message || cause?.code || error?.message || String(error);
}

/**
 * What comes of a body; one that is silent for too long is lost. Nothing is read before it
 * is asked for.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {AbortController} connection
 * @param {{ silenceMaxMs: number, command?: { id: string } }} limits `command` is what errors are about
 */
export async function* chunks(body, connection, { silenceMaxMs, command }) {
  const reader = body.getReader();
  for (;;) {
    const timer = setTimeout(() => connection.abort(silence(silenceMaxMs)), silenceMaxMs);
    let chunk;
    try {
      chunk = await reader.read();
    } catch (error) {
      const detail = `the answer broke off: ${reasonOf(error)}`;
      throw unanswered("no-answer", detail, { id: command?.id, cause: error });
    } finally {
      clearTimeout(timer);
    }
    if (chunk.done) return;
    yield chunk.value;
  }
}

async function read({ body }, connection, command) {
  const parts = [];
  if (body !== null) {
    const limits = { silenceMaxMs: SILENCE_MAX_MS, command };
    for await (const part of chunks(body, connection, limits)) parts.push(part);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** The error in an answer that is none of those wanted. */
function refusal(response, body, command) {
  const type = response.headers.get("content-type") ?? "";
  const error = type.startsWith("application/problem+json")
    ? errorOf(parsed({ status: response.status, body }, command), command)
    : unanswered("odd-answer", `status ${response.status} from ${response.url}`, {
        id: command?.id,
        status: response.status,
      });
  error.retryAfterMs = retryAfterMs(response.headers.get("retry-after"));
  return error;
}

/** Seconds, as Chancery says, or a date, as proxies may. */
function retryAfterMs(text) {
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}

/**
 * A controller whose signal follows another one, and is given by itself after a time.
 *
 * @param {AbortSignal | undefined} signal
 * @param {number} ms
 */
function limited(signal, ms) {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const follow = () => controller.abort(signal.reason);
  signal?.addEventListener("abort", follow, { once: true });
  const timer = setTimeout(() => controller.abort(silence(ms)), ms);
  return {
    controller,
    /** Something came in time. */
    hold: () => clearTimeout(timer),
    end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", follow);
    },
  };
}

function silence(ms) {
  return new Error(`nothing came for ${Math.round(ms / 1_000)} s`);
}

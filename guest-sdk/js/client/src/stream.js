/**
 * Server-sent events over `fetch`, which can send headers: messages as they come,
 * connection after connection.
 *
 * @module
 */

import { unanswered } from "./errors.js";
import { chunks } from "./http.js";
import { mayPass, pause, retrying, waitMs } from "./retry.js";

/** The server says that it is there every 15 s; twice unheard is a dead connection. */
const LIMITS = { silenceMaxMs: 45_000 };

/**
 * Messages, read on demand: whoever is slow is sent no more than fits in between.
 *
 * @typedef {{ id?: string, event: string, data: string }} Message
 *
 * @param {(lastId: string | undefined, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>} open
 *   connects; `lastId` is what came last
 * @param {{ retryFor: number, onRetry?: Function, signal?: AbortSignal }} patience `retryFor` is
 *   for the first connection: what is wrong then may be wrong for good. One that is lost is taken
 *   up again for as long as there is a reader
 * @param {string} [lastId] what came last to somebody who goes on here
 * @returns {AsyncGenerator<Message, void, void>}
 */
export async function* messages(open, patience, lastId) {
  const { signal, onRetry } = patience;
  const lasts = { id: lastId };
  let failures = 0;
  let body = undefined;
  for (;;) {
    const controller = new AbortController();
    const follow = () => controller.abort(signal.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", follow, { once: true });
    try {
      const connect = () => open(lasts.id, controller.signal);
      body = await (body === undefined ? retrying(connect, patience) : connect());
      for await (const message of parse(chunks(body, controller, LIMITS), lasts)) {
        failures = 0;
        yield message;
        // There may be more of what came already.
        signal?.throwIfAborted();
      }
      throw unanswered("no-answer", "the server ended the stream");
    } catch (error) {
      signal?.throwIfAborted();
      if (body === undefined || !mayPass(error)) throw error;
      failures += 1;
      const wait = waitMs(failures, error.retryAfterMs);
      onRetry?.(error, { failures, waitMs: wait });
      await pause(wait, signal);
    } finally {
      signal?.removeEventListener("abort", follow);
      // Whoever stops listening hangs up.
      controller.abort();
    }
  }
}

/**
 * Messages in a stream of bytes. `lasts.id` is set as messages are given out, and by ids
 * that come without one; a message that is cut off is none, so that it comes again.
 *
 * @param {AsyncIterable<Uint8Array>} bytes
 * @param {{ id: string | undefined }} lasts
 * @returns {AsyncGenerator<Message, void, void>}
 */
export async function* parse(bytes, lasts) {
  let message = empty();
  for await (const line of lines(bytes)) {
    if (line !== "") {
      take(message, line);
      continue;
    }
    const { id, event, data } = message;
    message = empty();
    if (id !== undefined) lasts.id = id;
    if (data.length > 0) yield { id, event, data: data.join("\n") };
  }
}

function empty() {
  return { id: undefined, event: "message", data: [] };
}

function take(message, line) {
  const colon = line.indexOf(":");
  const field = colon < 0 ? line : line.slice(0, colon);
  const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  switch (field) {
    case "id":
      message.id = text;
      break;
    case "event":
      message.event = text;
      break;
    case "data":
      message.data.push(text);
      break;
    default:
    // A comment, or a field that we do not know.
  }
}

/** Lines without their ends; what is behind the last end is none. */
async function* lines(bytes) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const [first, ...others] = decoder.decode(chunk, { stream: true }).split("\n");
    rest += first;
    for (const next of others) {
      yield rest.replace(/\r$/, "");
      rest = next;
    }
  }
}

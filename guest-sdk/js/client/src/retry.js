/**
 * Which failures pass by themselves, and how long to wait before the next try.
 *
 * @module
 */

import { ChanceryError } from "./errors.js";

/** How long to wait after the first failure, and at most, in milliseconds. */
const WAITS = { first: 100, most: 5_000 };

/** Statuses of proxies, and of servers in general, that say "not now". */
const PASSING = new Set([408, 429, 502, 503, 504]);

/**
 * Whether the same request may be answered otherwise in a while. It is the same to the
 * byte, id included, so that a command that was executed already is not executed again.
 *
 * @param {unknown} error
 */
export function mayPass(error) {
  if (!(error instanceof ChanceryError)) return false;
  if (error.kind === "no-answer") return true;
  // Of proxies and gateways, which know nothing of ids.
  if (error.kind === "odd-answer" || error.retry === undefined) return PASSING.has(error.status);
  return (
    error.retry === "same-id" ||
    (error.outcome === "unknown" && error.status >= 500) ||
    // What passes by itself says when.
    (error.retry === "later" && error.retryAfterMs !== undefined)
  );
}

/**
 * How long to wait after so many failures. Clients that failed together come back
 * scattered, and none sooner than the server wants.
 *
 * @param {number} failures 1 or more
 * @param {number} [retryAfterMs] what the server wants
 */
export function waitMs(failures, retryAfterMs = 0) {
  const most = Math.min(WAITS.first * 2 ** (failures - 1), WAITS.most);
  const jittered = most / 2 + Math.random() * (most / 2);
  return retryAfterMs > 0 ? retryAfterMs + jittered : jittered;
}

/**
 * Tries until it succeeds, fails for good, or has failed for too long.
 *
 * @template T
 * @param {() => Promise<T>} attempt throws a `ChanceryError`, or what the caller's signal says
 * @param {{ retryFor: number, onRetry?: Function, signal?: AbortSignal }} patience
 * @returns {Promise<T>}
 */
export async function retrying(attempt, { retryFor, onRetry, signal }) {
  let failures = 0;
  let givingUp = Infinity;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      failures += 1;
      const now = performance.now();
      givingUp = Math.min(givingUp, now + retryFor);
      const wait = waitMs(failures, error.retryAfterMs);
      if (!mayPass(error) || now + wait > givingUp) throw error;
      onRetry?.(error, { failures, waitMs: wait });
      await pause(wait, signal);
    }
  }
}

/**
 * Waits, unless it is told to stop.
 *
 * @param {number} ms
 * @param {AbortSignal} [signal]
 */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

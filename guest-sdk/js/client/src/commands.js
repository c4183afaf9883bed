/**
 * Commands: submitted so that a retry can never run one twice, and waited for.
 *
 * @module
 */

import { ofBase64 } from "./bytes.js";
import { errorOfReceipt } from "./errors.js";
import { parsed } from "./http.js";
import { newId } from "./ids.js";
import { checked } from "./options.js";
import { retrying } from "./retry.js";

/** How long one request waits for an outcome, in seconds: below what proxies allow. */
const WAIT_MAX_S = 20;

const OPTIONS = ["id", "wait", "at", "basis", "unchanged", "correlationId", "causationId", "metadata", "signal"];

/**
 * Submits a command. Body and id are made before the first try and are the same in all.
 *
 * @returns the receipt
 */
export async function submit(http, seen, name, input, options, patience) {
  const { id = newId(), wait, basis, unchanged, at } = checked("a command", options, OPTIONS);
  const { correlationId: correlation_id, causationId: causation_id, metadata } = options;
  const members = { name, input, basis, unchanged, correlation_id, causation_id, metadata };
  const body = JSON.stringify({ ...members, at });
  const waiting = new Waiting(wait);
  const receipt = await retrying(async () => {
    const seconds = waiting.portion();
    const answer = await http.send({
      method: "PUT",
      url: http.url(["commands", id]),
      headers: {
        prefer: seconds === 0 ? "respond-async" : `wait=${seconds}`,
        ...(basis === undefined ? {} : seen.header()),
      },
      body,
      signal: patience.signal,
      waitMs: seconds * 1_000,
      command: { id, name },
      seen: (headers) => seen.note(headers),
    });
    return withResult(parsed(answer, { id }));
  }, patience).catch((error) => {
    if (error.kind === "history-changed") seen.forget();
    throw error;
  });
  const settled = await settle(http, seen, receipt, waiting, patience);
  switch (settled.status) {
    case "rejected":
    case "failed":
      throw errorOfReceipt(settled);
    default:
      return settled;
  }
}

/** The receipt of a command that was submitted, whatever it says. */
export async function readReceipt(http, seen, id, options, patience) {
  const { wait = 0 } = checked("a receipt", options, ["wait", "signal"]);
  const waiting = new Waiting(wait);
  const receipt = await read(http, seen, id, waiting.portion(), patience);
  return settle(http, seen, receipt, waiting, patience);
}

/** Asks until there is an outcome, or nobody wants to wait any more. */
async function settle(http, seen, receipt, waiting, patience) {
  let latest = receipt;
  while (latest.status === "accepted" && !waiting.isOver()) {
    latest = await read(http, seen, receipt.id, waiting.portion(), patience);
  }
  return latest;
}

function read(http, seen, id, seconds, patience) {
  return retrying(async () => {
    const answer = await http.send({
      url: http.url(["commands", id], { wait: seconds }),
      signal: patience.signal,
      waitMs: seconds * 1_000,
      command: { id },
      seen: (headers) => seen.note(headers),
    });
    return withResult(parsed(answer, { id }));
  }, patience);
}

function withResult({ result_base64, ...receipt }) {
  return result_base64 === undefined ? receipt : { ...receipt, result: ofBase64(result_base64) };
}

/** For how long an outcome is waited for. */
class Waiting {
  #until;

  /** @param {number} [seconds] as long as it takes, if not given */
  constructor(seconds = Infinity) {
    this.#until = performance.now() + seconds * 1_000;
  }

  /** How many seconds the next request is to wait. */
  portion() {
    const left = (this.#until - performance.now()) / 1_000;
    return Math.min(Math.max(Math.ceil(left), 0), WAIT_MAX_S);
  }

  isOver() {
    return performance.now() >= this.#until;
  }
}

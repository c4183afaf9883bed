/**
 * What is thrown: the server's refusals as it wrote them, and the lack of an answer in
 * the same form.
 *
 * @module
 */

/** Whatever is not what was asked for. `problem` has all that is known of it. */
export class ChanceryError extends Error {
  /**
   * @param {object} problem what the server sent (RFC 9457), or what stands for it
   * @param {{ id?: string, cause?: unknown }} [more]
   */
  constructor(problem, { id, cause } = {}) {
    super(problem.detail ?? problem.title ?? problem.code, cause === undefined ? undefined : { cause });
    this.name = "ChanceryError";
    this.problem = problem;
    this.code = problem.code;
    this.kind = kindOf(problem);
    this.status = problem.status;
    this.outcome = problem.outcome;
    this.retry = problem.retry;
    this.details = problem.details;
    this.id = id ?? problem.id;
  }
}

/** The handler of a command or query said no. */
export class Rejected extends ChanceryError {
  constructor(problem, { receipt, ...more } = {}) {
    super(problem, more);
    this.name = "Rejected";
    this.receipt = receipt;
  }
}

/**
 * The error that a problem is.
 *
 * @param {object} problem
 * @param {{ id?: string, name?: string }} [command] the command that it is about
 */
export function errorOf(problem, { id, name } = {}) {
  switch (kindOf(problem)) {
    case "rejected":
      return new Rejected(problem, { id, receipt: receiptIn(problem, name) });
    case "query-rejected":
      return new Rejected(problem);
    default:
      return new ChanceryError(problem, { id });
  }
}

/** The error that a receipt is, of a command that did not succeed. */
export function errorOfReceipt(receipt) {
  const { id, sequence, module, module_hash, status, failure } = receipt;
  const problem = {
    type: `/errors/${status}`,
    title: `Executed and ${status}`,
    status: status === "rejected" ? 409 : 500,
    detail: failure.message,
    code: failure.code,
    outcome: "executed",
    retry: "new-id",
    details: failure.details,
    id,
    sequence,
    module,
    module_hash,
  };
  return status === "rejected"
    ? new Rejected(problem, { id, receipt })
    : new ChanceryError(problem, { id });
}

/**
 * There is no answer, or none of Chancery's.
 *
 * @param {string} code `no-answer` or `odd-answer`
 * @param {string} detail
 * @param {{ id?: string, status?: number, cause?: unknown }} [more]
 */
export function unanswered(code, detail, { id, status, cause } = {}) {
  const problem = { type: `/errors/${code}`, title: "There is no answer", detail, code, status };
  // Of a command nobody knows; whatever else is asked for changes nothing.
  const rest = id === undefined ? { retry: "later" } : { outcome: "unknown", retry: "same-id" };
  return new ChanceryError({ ...problem, ...rest }, { id, cause });
}

/** Which of the codes of `docs/errors.md` it is, whatever code a handler chose. */
function kindOf(problem) {
  return problem.type?.split("/").at(-1) ?? problem.code;
}

/** What a problem tells of a receipt; `app.receipt` has all of it. */
function receiptIn(problem, name) {
  const { id, sequence, module, module_hash, code, detail: message, details } = problem;
  const failure = details === undefined ? { code, message } : { code, message, details };
  return { id, sequence, kind: "command", name, status: "rejected", module, module_hash, failure };
}

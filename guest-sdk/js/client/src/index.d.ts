/**
 * The client of a Chancery app, for browsers and Node. `docs/client.md` tells all of it.
 *
 * Documents of the server (receipts, events, problems) are as it wrote them, so their
 * members are those of the HTTP interface.
 */

/**
 * What an app takes and gives, by name. `chancery generate ts` writes it from a running
 * app; without one, any name and any JSON will do.
 */
export interface Shape {
  commands: object;
  queries: object;
  events: object;
}

/** An app of which nothing is known. */
export interface AnyApp {
  commands: { [name: string]: { input: any; output: any } };
  queries: { [name: string]: { input: any; output: any } };
  events: { [type: string]: any };
}

/** A client of an app. Nothing is sent before it is asked for something. */
export function connect<S extends Shape = AnyApp>(
  url: string | URL,
  options?: ConnectOptions,
): Client<S>;

/**
 * A new id for a command: a UUID of version 7. Kept with what it is for, it makes the
 * command safe to send again after the program itself has ended.
 */
export function newId(): string;

export interface ConnectOptions {
  /** The app [default: `main`]. */
  app?: string;
  /** Sent as `Authorization: Bearer …`. */
  token?: string;
  /** Further headers of every request. */
  headers?: Record<string, string>;
  /**
   * How long a call goes on trying after its first failure, in milliseconds [default: 30,000];
   * 0 for not at all. Streams that were open are taken up again for ever.
   */
  retryFor?: number;
  /** Told of each failure that is about to be tried again. */
  onRetry?: (error: ChanceryError, next: { failures: number; waitMs: number }) => void;
  /**
   * Whether queries wait for what this client has receipts of [default: true]. `atLeast` of a
   * query wins.
   */
  readYourWrites?: boolean;
  /** What sends requests [default: that of the platform]. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

export interface Client<S extends Shape = AnyApp> {
  /** The history that `sequence` belongs to; none before the first receipt. */
  readonly history: string | undefined;
  /** The last sequence that this client has a receipt of; 0 before the first. */
  readonly sequence: number;

  /** Has a command submitted at a time. The receipt is that of the timer. */
  command<N extends Name<S["commands"]>>(
    name: N,
    input: InputOf<S["commands"][N]>,
    options: CommandOptions & { at: Date | string | number },
  ): Promise<Receipt<Timer>>;
  /** Submits a command; the receipt has the status `accepted` if the time is up first. */
  command<N extends Name<S["commands"]>>(
    name: N,
    input: InputOf<S["commands"][N]>,
    options: CommandOptions & { wait: number },
  ): Promise<Receipt<OutputOf<S["commands"][N]>> | Accepted>;
  /**
   * Submits a command and gives its receipt. It is sent again with the same id, and no other,
   * for as long as its outcome may still be found out: it never runs twice.
   *
   * Without `wait` there is an outcome when it returns.
   *
   * @throws {Rejected} the handler said no
   * @throws {ChanceryError} anything else; `outcome` says what became of the command, and if it
   *   is `unknown`, the same `id` may be sent again at any time within the window
   */
  command<N extends Name<S["commands"]>>(
    name: N,
    ...rest: Arguments<InputOf<S["commands"][N]>, CommandOptions & Waiting>
  ): Promise<Receipt<OutputOf<S["commands"][N]>>>;

  /** The receipt of a command, whatever it says; `accepted` if there is no outcome yet. */
  receipt<O = any>(
    id: string,
    options?: {
      /** How long to wait for an outcome, in seconds [default: 0]. */
      wait?: number;
      signal?: AbortSignal;
    },
  ): Promise<Receipt<O> | Unsuccessful | Accepted>;

  /**
   * Asks a query. It is read from a state that has everything this client has receipts of.
   *
   * @throws {Rejected} the handler said no
   */
  query<N extends Name<S["queries"]>>(
    name: N,
    ...rest: Arguments<InputOf<S["queries"][N]>, QueryOptions>
  ): Promise<Answer<OutputOf<S["queries"][N]>>>;

  /**
   * Asks a query, and again whenever something that it read has changed. A refusal is an answer
   * too, since it is asked again when that changes.
   */
  live<N extends Name<S["queries"]>>(
    name: N,
    ...rest: Arguments<InputOf<S["queries"][N]>, LiveOptions>
  ): AsyncGenerator<LiveAnswer<OutputOf<S["queries"][N]>>, void, void>;

  /** Follows events: those that there are, and then each as it comes, once and in order. */
  events(options?: EventsOptions): AsyncGenerator<EventOf<S["events"]>, void, void>;

  /** A page of events. */
  eventsPage(options?: EventsPageOptions): Promise<EventsPage<EventOf<S["events"]>>>;
}

export interface CommandOptions {
  /** The command's id [default: a new one]. */
  id?: string;
  /**
   * How long to wait for the outcome, in seconds; 0 not at all, since it is logged by then
   * [default: as long as it takes].
   */
  wait?: number;
  /** When to submit it; as a number, milliseconds since 1970 [default: now]. */
  at?: Date | string | number;
  /** The sequence that was looked at when it was decided upon. */
  basis?: number;
  /** What must not have changed since `basis`. */
  unchanged?: ({ table: string; key: string } | { table: string; prefix: string })[];
  /** What it has in common with others [default: its id]. */
  correlationId?: string;
  /** What led to it. */
  causationId?: string;
  /** Kept with it, and shown to its handler. */
  metadata?: Record<string, unknown>;
  signal?: AbortSignal;
}

export interface QueryOptions {
  /**
   * The state must have this sequence [default: the last that this client has a receipt of];
   * `null` for whatever there is.
   */
  atLeast?: number | null;
  /** The state as of exactly this sequence, if it is still held. */
  asOf?: number;
  signal?: AbortSignal;
}

export interface LiveOptions {
  /** As for a query; of the first answer. */
  atLeast?: number | null;
  /** How many answers a second, at most [default: what the server allows]. */
  maxRate?: number;
  signal?: AbortSignal;
}

export interface EventsOptions {
  /** Types such as `order.placed`, or patterns such as `order.*` [default: all]. */
  types?: string | string[];
  /** Only events about this. */
  subject?: string;
  /**
   * After which event: its `cursor`, its position, or `last` for those to come [default: from
   * the first].
   */
  after?: string | number;
  /** Only events at or after this time; as a number, milliseconds since 1970. */
  fromTime?: Date | string | number;
  /** Told once, when all events that there were have been given, with the last position. */
  onCaughtUp?: (position: number) => void;
  signal?: AbortSignal;
}

export interface EventsPageOptions extends Omit<EventsOptions, "onCaughtUp"> {
  /** Only events before this position. */
  before?: number;
  /** Only events before this time. */
  toTime?: Date | string | number;
  /** The first of them first, or the last [default: `asc`]. */
  order?: "asc" | "desc";
  /** How many, 1 to 1,000 [default: 100]. */
  limit?: number;
}

/** What became of a command that succeeded. */
export interface Receipt<O = any> extends Entry {
  status: "succeeded";
  result: O;
}

/** What became of one that did not. */
export interface Unsuccessful extends Entry {
  status: "rejected" | "failed";
  failure: Failure;
}

/** A command that is logged, and has no outcome yet. */
export interface Accepted extends Entry {
  status: "accepted";
}

/** What all receipts have. */
export interface Entry {
  id: string;
  sequence: number;
  kind: string;
  name: string;
  accepted_at: string;
  scheduled_for?: string;
  module?: string;
  module_hash?: string;
  events: { position: number; id: string; type: string; subject?: string; data: unknown }[];
  /** How many rows it changed. */
  changes: number;
  elapsed_us: number;
  erased?: true;
}

export interface Failure {
  code: string;
  message: string;
  details?: unknown;
}

/** The result of a command that is submitted later. */
export interface Timer {
  /** The id that the command will have. */
  timer: string;
  due_ms: number;
}

/** What a query gave. */
export interface Answer<O = any> {
  result: O;
  /** The state that it was read from. */
  sequence: number;
  history: string;
  /** Projections that are not as new as that state, with the last event that is in them. */
  behind: { projection: string; position: number }[];
}

/** What a live query gave: a result, or why there is none at the moment. */
export type LiveAnswer<O = any> =
  | { result: O; error?: undefined; sequence: number }
  | { result?: undefined; error: ChanceryError; sequence: number };

export interface EventsPage<E = AnyEvent> {
  events: E[];
  /** Where to go on: `after` this, or `before` it with `desc`; null at the end. */
  next: number | null;
  /** The last event that there was. */
  last: number;
}

/** An event as it is kept. */
export type StoredEvent<T extends string = string, D = any> = EventBase & { type: T } & (
    | { data: D; erased?: undefined }
    | { data: null; erased: true }
  );

export type AnyEvent = StoredEvent;

export interface EventBase {
  /** Where to go on behind it, in this history: see `after`. */
  cursor: string;
  position: number;
  previous: number;
  id: string;
  subject?: string;
  time: string;
  sequence: number;
  command_id: string;
  correlation_id: string;
  causation_id?: string;
  module?: string;
  module_hash?: string;
  depth: number;
}

/** What the server sent (RFC 9457), or what stands for it; `docs/errors.md` has all codes. */
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  code: string;
  outcome?: Outcome;
  retry?: "same-id" | "new-id" | "later" | "no";
  [member: string]: unknown;
}

export type Outcome = "not-logged" | "logged" | "executed" | "unknown";

/** Whatever is not what was asked for. */
export class ChanceryError extends Error {
  /** All that is known. */
  readonly problem: Problem;
  /** For programs; where a handler speaks, its own. */
  readonly code: string;
  /**
   * Which of the codes of `docs/errors.md` it is, whatever a handler called it; `no-answer` if
   * there is none, `odd-answer` if it is not Chancery's.
   */
  readonly kind: string;
  readonly status: number | undefined;
  /** What became of the command. */
  readonly outcome: Outcome | undefined;
  readonly retry: Problem["retry"];
  /** What a handler said besides. */
  readonly details: any;
  /** The command's id. */
  readonly id: string | undefined;
  /** How long the server wants to be left alone, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** The handler of a command or query said no: `code`, `message` and `details` are its own. */
export class Rejected extends ChanceryError {
  /**
   * Of a command, what its answer had of the receipt; `receipt()` has all of it.
   */
  readonly receipt:
    | (Pick<Entry, "id" | "sequence" | "kind" | "name" | "module" | "module_hash"> & {
        status: "rejected";
        failure: Failure;
      })
    | undefined;
}

/** A command that is submitted now, and waited for. */
type Waiting = { at?: undefined; wait?: undefined };
type Name<T> = keyof T & string;
type InputOf<H> = H extends { input: infer I } ? I : never;
type OutputOf<H> = H extends { output: infer O } ? O : never;
/** The input may be left out if nothing in it must be there. */
type Arguments<I, O> = {} extends I ? [input?: I, options?: O] : [input: I, options?: O];
/** The union of all events, told apart by `type`. */
type EventOf<E> = { [T in Name<E>]: StoredEvent<T, E[T]> }[Name<E>];

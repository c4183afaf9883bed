/** Write applications for Chancery: `export default app({ … })`. */

/** What a component of a key is. */
export type ComponentType = "text" | "integer" | "boolean" | "uuid";

/** What a key is: one component, or a tuple of several. */
export type KeyType = ComponentType | readonly [ComponentType, ...ComponentType[]];

type ComponentIn<C> = C extends "integer" ? number | bigint : C extends "boolean" ? boolean : string;
type ComponentOut<C> = C extends "integer" ? number : C extends "boolean" ? boolean : string;

/** A key as handlers give it. Integers beyond 2^53 are given as `bigint`. */
export type KeyIn<K extends KeyType> = K extends readonly ComponentType[]
  ? { readonly [I in keyof K]: ComponentIn<K[I]> }
  : ComponentIn<K>;

/** A key as handlers get it. Integers beyond 2^53 are a `bigint` in truth. */
export type KeyOut<K extends KeyType> = K extends readonly ComponentType[]
  ? { -readonly [I in keyof K]: ComponentOut<K[I]> }
  : ComponentOut<K>;

type Parts<K extends readonly unknown[]> = K extends readonly [...infer Rest, unknown]
  ? Rest extends readonly []
    ? never
    : Rest | Parts<Rest>
  : never;

/** Some of the first components of a tuple. */
export type KeyPart<K extends KeyType> =
  KeyIn<K> extends infer Tuple extends readonly unknown[] ? Readonly<Parts<Tuple>> : never;

/** What keys may begin with: some first components of a tuple, or the beginning of a text. */
export type Prefix<K extends KeyType> = K extends "text" ? string : KeyPart<K>;

declare const row: unique symbol;

/** Says what the rows of a table are, to TypeScript alone: `{ row: type<Order>() }`. */
export interface Type<Row> {
  readonly [row]?: Row;
}

/** See `Type`. */
export function type<Row>(): Type<Row>;

/** A table, as an app declares it. */
export interface TableDeclaration {
  /** What its keys are; `"text"` if it is not said. */
  readonly key?: KeyType;
  /** What its rows are. */
  readonly row?: Type<unknown>;
  readonly description?: string;
  /** Whether it may take over the rows of a table of this name that belongs to nobody. */
  readonly adopt?: boolean;
}

/** Tables by the names that handlers use. */
export type TableDeclarations = { readonly [name: string]: TableDeclaration };

type RowOf<T> = T extends { readonly row: Type<infer Row> } ? Row : any;
type KeyOf<T> = T extends { readonly key: infer K extends KeyType } ? K : "text";

/** Which rows a scan covers. */
export interface Range<K extends KeyType> {
  /** Only keys that begin with these components, or this text. */
  prefix?: Prefix<K>;
  /** Only keys from this one on. */
  from?: KeyIn<K> | KeyPart<K>;
  /** Only keys above this one: where the next page begins. */
  after?: KeyIn<K> | KeyPart<K>;
  /** Only keys below this one. */
  to?: KeyIn<K> | KeyPart<K>;
  /** Only keys up to and including this one. */
  through?: KeyIn<K> | KeyPart<K>;
}

/** Which rows a scan gives, and in which order. */
export interface ScanOptions<K extends KeyType> extends Range<K> {
  /** From the highest key down. */
  reverse?: boolean;
  /** How many rows at most. */
  limit?: number;
}

/** The rows of a scan, read page by page. They end with the call of the handler. */
export interface Rows<T> extends IteratorObject<T, undefined, undefined> {
  [Symbol.dispose](): void;
}

/** A table that can be read. */
export interface ReadTable<Row = any, K extends KeyType = "text"> extends Iterable<[KeyOut<K>, Row]> {
  /** The value of a key; `undefined` if there is none. */
  get(key: KeyIn<K>): Row | undefined;
  /** Whether there is a row of this key. */
  has(key: KeyIn<K>): boolean;
  /** The values of many keys, in the order asked. */
  getMany(keys: Iterable<KeyIn<K>>): (Row | undefined)[];
  /** How many rows the range has. Reads none of them. */
  count(range?: Range<K>): number;
  /** Pairs of key and value, in the order of the keys. */
  scan(options?: ScanOptions<K>): Rows<[KeyOut<K>, Row]>;
  /** The keys of a scan alone. */
  keys(options?: ScanOptions<K>): Rows<KeyOut<K>>;
  /** The values of a scan alone. */
  values(options?: ScanOptions<K>): Rows<Row>;
}

/** A table that can be written. */
export interface WriteTable<Row = any, K extends KeyType = "text"> extends ReadTable<Row, K> {
  /** Sets the value of a key: anything JSON has a form for, or a `Uint8Array`. */
  put(key: KeyIn<K>, value: Row): void;
  /** Removes a row; nothing changes if there is none. */
  delete(key: KeyIn<K>): void;
}

type ReadTables<T> = { readonly [N in keyof T]: ReadTable<RowOf<T[N]>, KeyOf<T[N]>> };
type WriteTables<T> = { readonly [N in keyof T]: WriteTable<RowOf<T[N]>, KeyOf<T[N]>> };

interface OtherTables {
  /** A table of another module, by the server's name for it. It can be read. */
  table<Row = any, const K extends KeyType = "text">(name: string, options?: { key?: K }): ReadTable<Row, K>;
}

/** Who submitted a command or asks a query. */
export interface Caller {
  subject: string;
  claims: { [name: string]: unknown };
}

/** A query, as it was asked. */
export interface Request {
  name: string;
  caller: Caller | undefined;
  metadata: { [name: string]: unknown };
}

/** The state that a query or a reaction looks at. */
export type State<T = {}> = ReadTables<T> &
  OtherTables & {
    /** The last entry of the log that this state includes; 0 before the first. */
    readonly sequence: number;
    /** The time of that entry. */
    readonly time: Date;
    /** As `time`, in milliseconds since 1970. */
    readonly timeMs: number;
    /** The time of the request. A query that asks for it gets no ETag. */
    readonly requestTime: Date;
    /** As `requestTime`, in milliseconds since 1970. */
    readonly requestTimeMs: number;
    /** The query, as it was asked; `undefined` in a reaction. */
    readonly request: Request | undefined;
    /** Who asks; `undefined` where nobody is asked who they are. */
    readonly caller: Caller | undefined;
  };

/** A command, as it was submitted. */
export interface Command {
  id: string;
  name: string;
  sequence: number;
  timeMs: number;
  /** When it was due, of a command that a timer submitted. */
  scheduledFor: Date | undefined;
  /** The sequence its sender looked at before deciding. */
  basis: number | undefined;
  caller: Caller | undefined;
  correlationId: string;
  causationId: string | undefined;
  metadata: { [name: string]: unknown };
}

/** What a command reads, and stages to be kept together or not at all. */
export type Transaction<T = {}> = WriteTables<T> &
  OtherTables & {
    /** The sequence of this command. */
    readonly sequence: number;
    /** When it was accepted: the only clock there is. `Date` gives it too. */
    readonly time: Date;
    /** As `time`, in milliseconds since 1970. */
    readonly timeMs: number;
    readonly caller: Caller | undefined;
    readonly command: Command;
    /** A new UUID, the same whenever this command is executed. */
    newId(): string;
    /** Records that something happened, and returns the event's id. */
    emit(type: string, event?: { subject?: string | null; data?: unknown }): string;
    /** Has a command submitted at a time, and returns the timer's id. */
    schedule(
      at: Date | number,
      name: string,
      input?: unknown,
      metadata?: { [name: string]: unknown },
    ): string;
    /** Takes back a timer that has not fired; false if there is none. */
    cancelTimer(id: string): boolean;
  };

/** The tables of a projection. */
export type View<T = {}> = WriteTables<T>;

/** A fact on record. */
export interface Event<Data = any> {
  position: number;
  id: string;
  type: string;
  subject: string | undefined;
  time: Date;
  timeMs: number;
  data: Data;
  sequence: number;
  commandId: string;
  correlationId: string;
  causationId: string | undefined;
  moduleHash: string;
  metadata: { [name: string]: unknown };
}

/** A fact to be recorded with a rejection. */
export interface NewEvent {
  type: string;
  subject?: string | null;
  data?: unknown;
}

/** A command that a reaction wants submitted. */
export interface NewCommand {
  name: string;
  input?: unknown;
  metadata?: { [name: string]: unknown };
}

/** A JSON Schema, which the server checks inputs against before a handler is called. */
export type Schema = { readonly [keyword: string]: unknown } | boolean;

/** A function, or an object with it as `run`. */
export type Handler<S> =
  | ((given: S, input: any) => unknown)
  | { run(given: S, input: any): unknown; description?: string; input?: Schema; output?: Schema };

export interface EventDeclaration {
  description?: string;
  schema?: Schema;
}

export interface Projection<T> {
  description?: string;
  /** Patterns of event types, such as `order.*`. */
  on: string | readonly string[];
  /** Raise it when the same events are to make other rows: the tables are built anew. */
  version?: number;
  /** Its tables, which it alone writes. */
  tables: readonly (keyof T & string)[];
  project(view: View<T>, event: Event): unknown;
}

type Commands = NewCommand | Iterable<NewCommand> | null | undefined | void;

export interface Reaction<T> {
  description?: string;
  /** Patterns of event types, such as `order.*`. */
  on: string | readonly string[];
  /** Whether a new one is given the events from now on, or all there ever were. */
  from?: "now" | "start";
  react(state: State<T>, event: Event): Commands | Promise<Commands>;
}

declare const tables: unique symbol;

/** What `app()` returns. */
export interface App<T = {}> {
  readonly description: string;
  readonly [tables]?: T;
}

/**
 * Declares a module: its tables, events, queries, commands, projections and reactions.
 * Names in camelCase are those of the server in kebab-case: `stockOf` is `stock-of`.
 */
export function app<const T extends TableDeclarations = {}>(declared: {
  description?: string;
  tables?: T;
  events?: { readonly [type: string]: EventDeclaration };
  queries?: { readonly [name: string]: Handler<State<T>> };
  commands?: { readonly [name: string]: Handler<Transaction<T>> };
  projections?: { readonly [name: string]: Projection<T> };
  reactions?: { readonly [name: string]: Reaction<T> };
  /** Runs as part of the entry of the log that deploys the module. */
  onDeploy?: Handler<Transaction<T>>;
}): App<T>;

/** What `reject` throws. */
export class Rejection extends Error {
  constructor(code: string, message: string, details?: unknown, options?: { events?: readonly NewEvent[] });
  readonly name: "Rejection";
  readonly code: string;
  readonly details: any;
  readonly events: readonly NewEvent[];
  /** Whether something thrown is a rejection. */
  static is(thrown: unknown): thrown is Rejection;
}

/**
 * Refuses: nothing that the command staged is kept, and the client gets the code (kebab-case), the
 * message and the details. Of a command, `events` are recorded all the same.
 */
export function reject(
  code: string,
  message: string,
  details?: unknown,
  options?: { events?: readonly NewEvent[] },
): never;

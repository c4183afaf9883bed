/** Handlers under plain `node --test`: given some rows, when a command, then what became of it. */

import type {
  App,
  Caller,
  Event,
  KeyIn,
  KeyOut,
  KeyType,
  NewCommand,
  NewEvent,
  Rejection,
  TableDeclarations,
  Type,
} from "./index.js";

type RowOf<T> = T extends { readonly row: Type<infer Row> } ? Row : any;
type KeyOf<T> = T extends { readonly key: infer K extends KeyType } ? K : "text";

/** A command that waits for its time. */
export interface Timer {
  atMs: number;
  name: string;
  input: any;
  metadata: { [name: string]: unknown };
}

/** The state of an app, and what the next command will be told. Each method gives another. */
export interface Given<T = any> {
  /** With this row. */
  row<N extends keyof T & string>(table: N, key: KeyIn<KeyOf<T[N]>>, value: RowOf<T[N]>): Given<T>;
  /** With this row in a table of another module, which the app may read. */
  foreignRow<const K extends KeyType = "text">(
    table: string,
    key: KeyIn<K>,
    value: unknown,
    options?: { key?: K },
  ): Given<T>;
  /** With this event on record: projections have it, reactions are not asked about it any more. */
  event(event: NewEvent): Given<T>;
  /** At this time. */
  at(time: Date | number): Given<T>;
  /** With commands and queries from this caller. */
  caller(caller: Caller): Given<T>;
  /** With commands whose sender looked at this sequence. */
  basis(sequence: number): Given<T>;
  /** Executes a command. Throws what the handler throws, unless it rejects. */
  when(name: string, input?: unknown): Outcome<T>;
  /** Has an event happen, by a command of whatever module. */
  whenEvent(event: NewEvent): Outcome<T>;
  /** Asks a query. Throws the `Rejection` if it refuses. */
  query(name: string, input?: unknown): any;
  /** All that follows from what happened: the commands of reactions, and of theirs. */
  follow(): Given<T>;
  /** Lets this much time pass, in milliseconds, with all that follows. */
  wait(ms: number): Given<T>;
  /** The commands that wait for their time, the earliest first. */
  pending(): Timer[];
  /** The value of a row; `undefined` if there is none. */
  get<N extends keyof T & string>(table: N, key: KeyIn<KeyOf<T[N]>>): RowOf<T[N]> | undefined;
  /** The rows of a table in the order of their keys. */
  rows<N extends keyof T & string>(table: N): [KeyOut<KeyOf<T[N]>>, RowOf<T[N]>][];
  /** The manifest that the server would be given. */
  manifest(): any;
}

/** What a command gave. Each `then…` checks one thing and hands the outcome on. */
export interface Outcome<T = any> {
  /** It succeeded, with this result if one is given. */
  thenOk(expected?: unknown): Outcome<T>;
  /** It was rejected with this code. */
  thenRejected(code: string): Outcome<T>;
  /** It was rejected with these details. */
  thenDetails(expected: unknown): Outcome<T>;
  /** The table holds this row now. */
  thenRow<N extends keyof T & string>(table: N, key: KeyIn<KeyOf<T[N]>>, expected: RowOf<T[N]>): Outcome<T>;
  /** The table has no row of this key now. */
  thenNoRow<N extends keyof T & string>(table: N, key: KeyIn<KeyOf<T[N]>>): Outcome<T>;
  /** It emitted an event of this type, with these data if some are given. */
  thenEvent(type: string, data?: unknown): Outcome<T>;
  /** It emitted no event. */
  thenNoEvent(): Outcome<T>;
  /** A reaction to its events wants this command submitted. */
  thenCommand(name: string, input: unknown): Outcome<T>;
  /** No reaction to its events wants a command submitted. */
  thenNoCommand(): Outcome<T>;
  /** A reaction to its events refuses with this code. */
  thenReactionRefuses(code: string): Outcome<T>;
  /** No row of any table is different from before. */
  thenUnchanged(): Outcome<T>;
  /** A query gives this answer now. */
  thenQuery(name: string, input: unknown, expected: unknown): Outcome<T>;
  /** Goes on with another command. */
  when(name: string, input?: unknown): Outcome<T>;
  /** Goes on with an event. */
  whenEvent(event: NewEvent): Outcome<T>;
  /** Goes on with all that follows. */
  follow(): Given<T>;
  /** The state it left, to go on from. */
  given(): Given<T>;
  /** What the handler returned. Throws the `Rejection` if it was rejected. */
  readonly result: any;
  readonly rejection: Rejection | undefined;
  readonly events: NewEvent[];
  readonly timers: Timer[];
  /** The commands that reactions to its events want submitted. */
  readonly commands: NewCommand[];
  /** What each reaction to its events gives. */
  readonly reactions: { reaction: string; commands?: NewCommand[]; rejection?: Rejection }[];
  /** The rows it changed, by the server's names. */
  readonly changes: { table: string; key: string; value: unknown }[];
}

/** The state of an app with no rows, before its first command. */
export function given<T extends TableDeclarations>(app: App<T>): Given<T>;

export type { Event };

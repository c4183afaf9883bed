// What the app `odd` takes and gives. Made by `chancery generate ts`; do not edit.
//
//   import { connect } from "chancery-client";
//   const app = connect<App>("http://127.0.0.1:7070", { app: "odd" });
//
// Of these modules:
//   one 0000000000000000000000000000000000000000000000000000000000000000
//   two 0000000000000000000000000000000000000000000000000000000000000000

/** The app `odd`. */
export interface App {
  commands: Commands;
  queries: Queries;
  events: Events;
}

/** What changes its state. */
export interface Commands {
  app: {
    input: unknown;
    output: unknown;
  };
  /** Goes. */
  go: {
    input: GoInput;
    output: unknown;
  };
  "go-away": {
    input: GoAwayInput;
    output: unknown;
  };
  "go-on": {
    input: GoOnInput;
    output: GoOnOutput;
  };
}

/** What can be asked. */
export type Queries = {};

/** The data of what is stated, by type. */
export interface Events {
  /** Both say so. */
  "it-went": ItWentData;
  "it.came": unknown;
  /** Both say so. */
  "it.went": ItWentData2 | ItWentData3;
}

/**
 * Ends *\/ a comment,
 * and goes on.
 */
export interface GoAwayInput {
  "a \"b\"": number | null;
  /**
   * Not any more.
   * @deprecated
   */
  old?: string;
  path?: [GoAwayInput, number?, ...unknown[]];
  status: Status2;
  tags?: { [key: string]: string };
}

/**
 * Ends *\/ a comment,
 * and goes on.
 */
export interface GoInput {
  "a \"b\"": number | null;
  /**
   * Not any more.
   * @deprecated
   */
  old?: string;
  path?: [GoInput, number?, ...unknown[]];
  status: Status;
  tags?: { [key: string]: string };
}

/**
 * Ends *\/ a comment,
 * and goes on.
 */
export interface GoOnInput {
  "a \"b\"": number | null;
  /**
   * Not any more.
   * @deprecated
   */
  old?: string;
  path?: [GoOnInput, number?, ...unknown[]];
  status: Status;
  tags?: { [key: string]: string };
}

export type GoOnOutput = unknown;

export type ItWentData = null;

export type ItWentData2 = string;

export type ItWentData3 = number;

/** Where it is. */
export type Status = "a" | "b";

/** Where it is. */
export type Status2 = "c";

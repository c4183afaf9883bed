/**
 * What scripts find in the global object besides the language. For a project whose `lib` has neither
 * the DOM nor the types of Node.js: `"types": ["chancery-sdk/globals"]` in tsconfig.json.
 */

interface Console {
  trace(...values: unknown[]): void;
  debug(...values: unknown[]): void;
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
}

/** Writes to the server's log, with the module and the id of the command or query beside it. */
declare var console: Console;

interface Crypto {
  /** A UUID that is the same whenever the command is executed. */
  randomUUID(): string;
  /** Fills an array of integers, with what follows from the command: this is no secret. */
  getRandomValues<T extends ArrayBufferView>(array: T): T;
}

declare var crypto: Crypto;

interface TextEncoder {
  readonly encoding: "utf-8";
  encode(text?: string): Uint8Array;
  encodeInto(text: string, bytes: Uint8Array): { read: number; written: number };
}

declare var TextEncoder: { prototype: TextEncoder; new (): TextEncoder };

interface TextDecoder {
  readonly encoding: "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(input?: ArrayBufferView | ArrayBuffer): string;
}

declare var TextDecoder: {
  prototype: TextDecoder;
  new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder;
};

declare function structuredClone<T>(value: T): T;
declare function queueMicrotask(callback: () => void): void;
declare function atob(base64: string): string;
declare function btoa(binary: string): string;

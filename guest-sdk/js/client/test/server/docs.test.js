/**
 * The examples of `docs/client.md`, run from top to bottom as one program. What a line
 * prints stands behind it, as `// first, then second`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { format } from "node:util";

import { serve } from "./harness.js";

const here = (path) => new URL(path, import.meta.url);
const docs = await readFile(here("../../../../../docs/client.md"), "utf8");

function blocks(language) {
  return Array.from(docs.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms")), ([, text]) => text);
}

test("the examples run, and print what they say", async (t) => {
  const { url } = await serve(t, { modules: ["shop"] });
  const program = blocks("js").join("\n");
  const printing = Array.from(program.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm), ([, text]) => text);
  assert.equal(printing.length, program.split("console.log(").length - 1, "each line says what it prints");

  const directory = await mkdtemp(join(tmpdir(), "chancery-docs-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "docs.mjs");
  const client = JSON.stringify(pathToFileURL(fileURLToPath(here("../../src/index.js"))));
  const source = program.replace('"chancery-client"', client).replace("http://127.0.0.1:7070", url);
  await writeFile(file, source);

  const printed = [];
  t.mock.method(console, "log", (...values) => printed.push(format(...values)));
  await import(pathToFileURL(file));
  assert.deepEqual(printed, printing.flatMap((text) => text.split(", then ")));
});

test("the example in TypeScript is the one that is checked", async () => {
  const [example, ...others] = blocks("ts");
  assert.deepEqual(others, []);
  assert.equal(example, await readFile(here("../types/docs.ts"), "utf8"));
});

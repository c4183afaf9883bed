// A component made of JavaScript by componentize-qjs, without the SDK: `node componentize.mjs
// <module.js> <component.wasm>`.

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { componentize } from "componentize-qjs";

const [source, target] = process.argv.slice(2);
const { component } = await componentize({
  witPath: fileURLToPath(new URL("../../wit", import.meta.url)),
  world: "handlers",
  jsSource: await readFile(source, "utf8"),
  // What the server takes: calls are synchronous, and there is no WASI.
  sync: true,
  stubWasi: true,
});
await writeFile(target, component);

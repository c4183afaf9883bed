/**
 * The source as a whole: what browsers and Node both have, and what the types say there is.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import test from "node:test";

import * as client from "../../src/index.js";

const source = new URL("../../src/", import.meta.url);
const read = (file) => readFile(new URL(file, source), "utf8");

test("it names nothing that only one platform has", async () => {
  const files = (await readdir(source)).filter((file) => file.endsWith(".js"));
  assert.ok(files.length > 10);
  for (const file of files) {
    const text = await read(file);
    assert.ok(text.startsWith("/**\n * "), `${file} says what it owns`);
    assert.ok(text.split("\n").length <= 500, `${file} is short enough to read`);
    const code = text.replace(/\/\*.*?\*\/|\/\/.*$/gms, "");
    const foreign = /\b(process|Buffer|require|setImmediate|window|document|global)\b|"node:/.exec(code);
    assert.equal(foreign, null, `${file}: ${foreign?.[0]}`);
    for (const [, from] of code.matchAll(/\bfrom "(.*?)"/g)) assert.match(from, /^\.\/[a-z]+\.js$/);
  }
});

test("the types are those of what there is", async () => {
  const types = await read("index.d.ts");
  const typed = Array.from(types.matchAll(/^export (?:function|class) (\w+)/gm), ([, name]) => name);
  assert.deepEqual(typed.sort(), Object.keys(client).sort());
  const app = client.connect("http://127.0.0.1:1");
  const body = /interface Client<.*?\n}/s.exec(types)[0];
  const members = Array.from(body.matchAll(/^  (?:readonly )?(\w+)[:(<]/gm), ([, name]) => name);
  const own = Object.getOwnPropertyNames(Object.getPrototypeOf(app));
  assert.deepEqual([...new Set(members)].sort(), own.filter((name) => name !== "constructor").sort());
});

// Keys are those of every other SDK: the vectors are shared with guest-sdk/rust/src/key/vectors.rs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { compare, Key, prefixEnd } from "../src/key.js";

const vectors = JSON.parse(readFileSync(new URL("./key-vectors.json", import.meta.url), "utf8"));

/** Integers beyond what JSON's numbers hold are written as texts. */
function value(written) {
  if (Array.isArray(written)) return written.map(value);
  return typeof written === "object" ? BigInt(written.integer) : written;
}

test("keys are written and read as everywhere", () => {
  for (const { type, keys } of vectors.keys) {
    const key = new Key(type);
    for (const [written, text] of keys) {
      assert.equal(key.encode(value(written)), text);
      assert.deepEqual(key.decode(text), value(written));
    }
  }
});

test("the texts of keys are in the order of the keys", () => {
  for (const { keys } of vectors.keys) {
    const texts = keys.map(([, text]) => text);
    assert.deepEqual([...texts].reverse().sort(compare), texts);
    const asBytes = texts.map((text) => Buffer.from(text)).sort(Buffer.compare);
    assert.deepEqual(asBytes.map(String), texts);
  }
});

test("what is no key is not read", () => {
  for (const { type, texts } of vectors.malformed) {
    const key = new Key(type);
    for (const text of texts)
      assert.throws(() => key.decode(text), TypeError, `${type}: ${JSON.stringify(text)}`);
  }
});

test("prefixes are written as everywhere", () => {
  for (const { type, prefixes } of vectors.prefixes) {
    for (const [prefix, text] of prefixes) assert.equal(new Key(type).prefix(prefix), text);
  }
});

test("what does not fit the type is refused in words", () => {
  const refusals = [
    ["text", 7, "a key text has a text, not 7"],
    ["text", "\ud800", 'a key text has a text without lone surrogates, not "\\ud800"'],
    ["integer", 0.5, "a key integer has an integer (below 2^53, or a BigInt), not 0.5"],
    ["integer", 2 ** 53, "a key integer has an integer (below 2^53, or a BigInt), not 9007199254740992"],
    ["integer", "7", 'a key integer has an integer (below 2^53, or a BigInt), not "7"'],
    ["uuid", "x", 'a key uuid has a UUID, not "x"'],
    ["boolean", 1, "a key boolean has true or false, not 1"],
    [["text", "integer"], "bob", 'a key [text, integer] is an array, not "bob"'],
    [["text", "integer"], ["bob"], 'a key [text, integer] is an array, not ["bob"]'],
    [
      ["text", "integer"],
      ["bob", "7"],
      'a key [text, integer] has an integer (below 2^53, or a BigInt), not "7"',
    ],
  ];
  for (const [type, key, message] of refusals) {
    assert.throws(() => new Key(type).encode(key), { name: "TypeError", message });
  }
  assert.throws(() => new Key("number"), {
    message: '"number" is no type of a key; there are text, integer, boolean, uuid, and arrays of them',
  });
  assert.throws(() => new Key([]), { message: "a key has at least one component" });
});

test("a prefix ends below the next text that does not have it", () => {
  assert.equal(prefixEnd("ab"), "ac");
  assert.equal(prefixEnd("a\ud7ff"), "a\ue000");
  assert.equal(prefixEnd("a\u{10ffff}"), "b");
  assert.equal(prefixEnd("\u{10ffff}"), undefined);
  assert.equal(prefixEnd(""), undefined);
});

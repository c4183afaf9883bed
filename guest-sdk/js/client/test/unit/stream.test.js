/**
 * Messages in bytes, however these are cut.
 *
 * @module
 */

import assert from "node:assert/strict";
import test from "node:test";

import { parse } from "../../src/stream.js";

async function parsed(pieces, lasts = { id: undefined }) {
  async function* bytes() {
    for (const piece of pieces) yield piece;
  }
  const messages = [];
  for await (const message of parse(bytes(), lasts)) messages.push({ ...message, last: lasts.id });
  return { messages, last: lasts.id };
}

const encode = (text) => new TextEncoder().encode(text);

const STREAM =
  'id: h/1\nevent: a\ndata: {"n":"é😀"}\n\n: still here\nid: h/7\n\n' +
  "id:h/8\r\nevent: b\r\ndata: x\r\ndata:  y\r\n\r\nretry: 7\ndata: bare\n\nid: h/9\nevent: c\ndata: cut";

const MESSAGES = [
  { id: "h/1", event: "a", data: '{"n":"é😀"}', last: "h/1" },
  { id: "h/8", event: "b", data: "x\n y", last: "h/8" },
  { id: undefined, event: "message", data: "bare", last: "h/8" },
];

test("messages are the same wherever the bytes are cut", async () => {
  const bytes = encode(STREAM);
  assert.deepEqual(await parsed([bytes]), { messages: MESSAGES, last: "h/8" });
  for (let at = 0; at < bytes.length; at += 1) {
    const { messages } = await parsed([bytes.subarray(0, at), bytes.subarray(at)]);
    assert.deepEqual(messages, MESSAGES, `cut at ${at}`);
  }
  const singles = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.deepEqual((await parsed(singles)).messages, MESSAGES);
});

test("what is cut off is none, and comes again", async () => {
  const { messages, last } = await parsed([encode("id: h/1\nevent: a\ndata: {}\n")], { id: "h/0" });
  assert.deepEqual([messages, last], [[], "h/0"]);
});

test("an id that comes alone moves the place", async () => {
  const { messages, last } = await parsed([encode(": still here\nid: h/7\n\n")], { id: "h/0" });
  assert.deepEqual([messages, last], [[], "h/7"]);
});

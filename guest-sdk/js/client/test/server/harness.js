/**
 * What the tests with a server share: the real binary, and a proxy before it that fails as
 * it is told.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A server with an empty directory, behind a proxy; both end with the test. */
export async function serve(t, { modules = ["shop"], args = [] } = {}) {
  const data = await mkdtemp(join(tmpdir(), "chancery-client-"));
  const server = new Server(data, args);
  await server.start();
  const proxy = await Proxy.before(server);
  t.after(async () => {
    proxy.close();
    await server.kill();
    await rm(data, { recursive: true, force: true });
  });
  for (const module of modules) await server.deploy(module);
  return { server, proxy, url: proxy.url };
}

/** Waits until something holds. */
export async function until(what, holds) {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** `fetch` that remembers what was asked and how it was answered. */
export function recording() {
  const calls = [];
  const fetch = async (url, init) => {
    const call = { method: init.method, url, headers: init.headers, body: init.body };
    calls.push(call);
    const response = await globalThis.fetch(url, init);
    call.status = response.status;
    return response;
  };
  return { calls, fetch };
}

function variable(name) {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set; \`cargo test client\` sets it`);
  return value;
}

export class Server {
  #data;
  #args;
  #child;
  port;

  constructor(data, args) {
    this.#data = data;
    this.#args = args;
  }

  async start() {
    const args = ["serve", "--listen", "127.0.0.1:0", "--data", this.#data, ...this.#args];
    const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("CHANCERY_"));
    this.#child = spawn(variable("CHANCERY_BINARY"), args, {
      env: Object.fromEntries(environment),
      stdio: ["ignore", "pipe", "ignore"],
    });
    for await (const line of createInterface({ input: this.#child.stdout })) {
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (found === null) continue;
      this.port = Number(found[1]);
      break;
    }
    this.#child.stdout.resume();
    await until("it serves its app", async () => (await fetch(this.path(""))).ok);
  }

  /** Kills it at once. */
  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** Asks it to end, and waits. */
  async end() {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
  }

  path(below) {
    return `http://127.0.0.1:${this.port}/v1/apps/main${below}`;
  }

  async get(below) {
    return (await fetch(this.path(below))).json();
  }

  async deploy(module) {
    const file = join(variable("CHANCERY_GUESTS"), `${module.replaceAll("-", "_")}.wasm`);
    const headers = { "content-type": "application/wasm" };
    const body = await readFile(file);
    const response = await fetch(this.path(`/modules/${module}`), { method: "PUT", headers, body });
    if (!response.ok) throw new Error(await response.text());
  }

  /** How often commands of this name were executed or refused, by their receipts. */
  async count(name) {
    const { commands } = await this.get("/commands?limit=1000");
    return commands.filter((receipt) => receipt.name === name).length;
  }
}

/**
 * Passes bytes on, but for what `next` says of requests to come, one each: `{ hold: true }` for
 * no answer at all, `{ lose: "request" }`, `{ lose: "answer" }`, `{ cutAfter: bytes }` of the answer,
 * `{ answer: text }` instead of the server's.
 */
export class Proxy {
  #listener;
  #server;
  #sockets = new Set();
  next = [];

  static async before(server) {
    const proxy = new Proxy();
    proxy.#server = server;
    proxy.#listener = net.createServer((client) => proxy.#pass(client));
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.#listener.address().port}`;
  }

  get open() {
    return this.#sockets.size;
  }

  /** Cuts every connection there is. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  close() {
    this.#listener.close();
    this.cut();
  }

  #pass(client) {
    const upstream = net.connect(this.#server.port, "127.0.0.1");
    this.#sockets.add(client);
    let action;
    let passed = 0;
    // A client that keeps its connection sends the next request after the answer.
    let isAnswered = true;
    const end = () => {
      this.#sockets.delete(client);
      client.destroy();
      upstream.destroy();
    };
    client.on("data", (bytes) => {
      if (isAnswered) {
        action = this.next.shift() ?? {};
        isAnswered = false;
        passed = 0;
      }
      if (action.lose === "request") return end();
      if (action.hold) return undefined;
      if (action.answer === undefined) return upstream.write(bytes);
      isAnswered = true;
      return client.write(action.answer);
    });
    upstream.on("data", (bytes) => {
      isAnswered = true;
      if (action.lose === "answer") return end();
      const left = (action.cutAfter ?? Infinity) - passed;
      passed += bytes.length;
      if (left > bytes.length) return client.write(bytes);
      return client.write(bytes.subarray(0, left), end);
    });
    for (const socket of [client, upstream]) {
      socket.on("error", end);
      socket.on("close", end);
    }
  }
}

/** An answer as it goes over the wire. */
export function problem(status, document, headers = {}) {
  const body = JSON.stringify({ status, title: "t", detail: "d", ...document });
  const all = {
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(body),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Status\r\n${lines.join("")}\r\n${body}`;
}

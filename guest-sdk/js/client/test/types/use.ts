/**
 * What a program written in TypeScript may and may not say. `tsc` reads it; nothing runs it.
 *
 * @module
 */

import { ChanceryError, connect, newId, Rejected } from "chancery-client";
import type { Answer, Client, Receipt } from "chancery-client";
import type { App as Odd } from "./odd.js";
import type { App as Orders } from "./orders.js";
import type { AddProductOutput, App as Shop } from "./shop.js";

const shop: Client<Shop> = connect<Shop>("http://127.0.0.1:7070", {
  app: "main",
  onRetry: (error, { failures, waitMs }) => console.log(error.code, failures, waitMs),
});

export async function commands(): Promise<number> {
  const receipt = await shop.command("buy-product", { product: "lamp", buyer: null }, { id: newId() });
  const left: number = receipt.result.left;
  // @ts-expect-error there is no such command
  await shop.command("buy-products", { product: "lamp" });
  // @ts-expect-error the product is a text
  await shop.command("buy-product", { product: 7 });
  // @ts-expect-error an input that has to have something in it cannot be left out
  await shop.command("buy-product");

  const soon = await shop.command("buy-product", { product: "lamp" }, { wait: 0 });
  // @ts-expect-error there may be no outcome yet
  soon.result;
  if (soon.status === "succeeded") return soon.result.left;

  const timer = await shop.command("buy-product", { product: "lamp" }, { at: new Date() });
  const id: string = timer.result.timer;

  const found = await shop.receipt<{ left: number }>(id, { wait: 5 });
  switch (found.status) {
    case "succeeded":
      return found.result.left;
    case "rejected":
    case "failed":
      return found.failure.message.length;
    case "accepted":
      return left;
  }
}

export async function refusals(): Promise<string> {
  try {
    await shop.command("buy-product", { product: "lamp" });
  } catch (error) {
    if (error instanceof Rejected) return `${error.receipt?.sequence}: ${error.details.product}`;
    if (error instanceof ChanceryError && error.outcome === "unknown") return error.id ?? "";
    throw error;
  }
  return "";
}

export async function queries(signal: AbortSignal): Promise<void> {
  const answer: Answer<AddProductOutput> = await shop.query(
    "stock-of",
    { product: "lamp" },
    { atLeast: null, signal },
  );
  console.log(answer.sequence, answer.result.left);
  for await (const { result, error, sequence } of shop.live("stock-of", { product: "lamp" })) {
    // @ts-expect-error there may be none
    result.left;
    if (error === undefined) console.log(result.left, sequence);
    else console.log(error.code);
  }
  // @ts-expect-error a live query has no past
  shop.live("stock-of", { product: "lamp" }, { asOf: 7 });
}

export async function events(orders: Client<Orders>): Promise<void> {
  for await (const event of orders.events({ types: ["order.*"], after: "last" })) {
    // @ts-expect-error it may have been erased
    event.data.order;
    if (event.erased) continue;
    switch (event.type) {
      case "order.placed":
        console.log(event.data.total_cents, event.cursor);
        break;
      case "order.shipped":
        console.log(event.data.status);
        break;
      case "stock.reserved":
        // @ts-expect-error the data of another event
        event.data.total_cents;
    }
  }
  const page = await orders.eventsPage({ order: "desc", limit: 5 });
  const next: number | null = page.next;
  console.log(next, page.events[0]?.position);
}

export async function untyped(): Promise<Receipt> {
  const app = connect("http://127.0.0.1:7070");
  const { result } = await app.query("anything", { n: 1 });
  console.log(result.whatever, (await app.query("anything")).sequence);
  for await (const event of app.events()) console.log(event.type, event.data.whatever);
  return app.command("anything");
}

export async function odd(app: Client<Odd>): Promise<void> {
  await app.command("app");
  await app.command("go", { status: "a", 'a "b"': null, path: [{ status: "b", 'a "b"': 1 }, 2] });
  // @ts-expect-error of another module
  await app.command("go", { status: "c", 'a "b"': null });
  await app.command("go-away", { status: "c", 'a "b"': null, tags: { a: "b" } });
  for await (const event of app.events()) {
    if (event.type === "it.went" && !event.erased) console.log(event.data satisfies string | number);
  }
}

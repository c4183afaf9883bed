// Orders as a buyer wants to see them: derived from events, in one row each.

import type { Event } from "chancery-sdk";

import type { Summaries } from "./tables.js";
import type { Ended, Placed, Step } from "./types.js";

export function summarise(view: Summaries, event: Event) {
  const { type } = event;
  if (type === "order.placed") begin(view, event);
  else add(view, event, type.startsWith("order.") ? howItEnded(event) : null);
}

function begin(view: Summaries, { type, timeMs, data }: Event<Placed>) {
  view.orderSummaries.put(data.order, {
    buyer: data.buyer,
    product: data.product_name,
    quantity: data.quantity,
    total_cents: data.total_cents,
    latest: type,
    ended: null,
    steps: [{ what: type, time_ms: timeMs }],
  });
}

function howItEnded({ data }: Event<Ended>): string {
  return `${data.status}: ${data.reason}`;
}

/** An order whose beginning was erased has no summary. */
function add(view: Summaries, { type, timeMs, data }: Event<Step>, ended: string | null) {
  const summary = view.orderSummaries.get(data.order);
  if (summary === undefined) return;
  view.orderSummaries.put(data.order, {
    ...summary,
    latest: type,
    ended: summary.ended ?? ended,
    steps: [...summary.steps, { what: type, time_ms: timeMs }],
  });
}

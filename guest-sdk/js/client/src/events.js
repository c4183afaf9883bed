/**
 * Events: read by page, and followed without gap or repeat over lost connections.
 *
 * @module
 */

import { ChanceryError } from "./errors.js";
import { parsed } from "./http.js";
import { checked } from "./options.js";
import { retrying } from "./retry.js";
import { messages } from "./stream.js";

const WANTED = ["types", "subject", "after", "fromTime", "signal"];
const OF_A_PAGE = [...WANTED, "before", "toTime", "order", "limit"];
const OF_A_READER = [...WANTED, "onCaughtUp"];

/** @returns a page, as the server wrote it */
export async function readEvents(http, options, patience) {
  checked("a page of events", options, OF_A_PAGE);
  const { types, subject, after, before, fromTime, toTime, order, limit } = options;
  const place = placeOf(after);
  const url = http.url(["events"], {
    type: types,
    subject,
    after: place.after,
    before,
    from_time: timeOf(fromTime),
    to_time: timeOf(toTime),
    order,
    limit,
  });
  const headers = place.history === undefined ? {} : { "chancery-history": place.history };
  return retrying(async () => {
    const answer = await http.send({ url, headers, signal: patience.signal });
    const page = parsed(answer);
    const history = answer.headers.get("chancery-history");
    return { ...page, events: page.events.map((event) => withCursor(event, history)) };
  }, patience);
}

/** Events as they come, each with a `cursor` from which another reader can go on. */
export async function* followEvents(http, options, patience) {
  checked("a reader of events", options, OF_A_READER);
  const { types, subject, after, fromTime, onCaughtUp } = options;
  const place = placeOf(after);
  const query = { type: types, subject, from_time: timeOf(fromTime) };
  // The cursor has the history too, and what came last wins over what was asked for first.
  const cursor = place.history === undefined ? undefined : after;
  const url = http.url(["events"], { ...query, after: cursor === undefined ? after : undefined });
  const open = (lastId, signal) => {
    const headers = lastId === undefined ? {} : { "last-event-id": lastId };
    return http.open({ url, headers }, signal);
  };
  let isCaughtUp = false;
  for await (const { id, event, data } of messages(open, patience, cursor)) {
    switch (event) {
      case "$caught-up":
        // Each connection says so; the reader has caught up once.
        if (!isCaughtUp) onCaughtUp?.(JSON.parse(data).position);
        isCaughtUp = true;
        break;
      case "$failed":
        throw failed(JSON.parse(data));
      default:
        // Other names of the server's own are of a newer one.
        if (!event.startsWith("$")) yield { ...JSON.parse(data), cursor: id };
    }
  }
}

/** The end of a stream: nothing that is sent again would change it. */
function failed({ code, detail, first }) {
  const status = code === "events-gone" ? 410 : 500;
  const title = "Nothing more is sent";
  return new ChanceryError({ type: `/errors/${code}`, title, status, detail, code, retry: "no", first });
}

function withCursor(event, history) {
  return history === null ? event : { ...event, cursor: `${history}/${event.position}` };
}

/** A position, `last`, or the cursor of an event. */
function placeOf(after) {
  if (typeof after !== "string" || !after.includes("/")) return { after };
  const [history, position] = after.split("/");
  return { history, after: position };
}

function timeOf(time) {
  return time instanceof Date ? time.toISOString() : time;
}

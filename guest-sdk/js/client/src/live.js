/**
 * Live queries: the answer, and each that it becomes.
 *
 * @module
 */

import { ofBase64 } from "./bytes.js";
import { errorOf } from "./errors.js";
import { checked } from "./options.js";
import { messages } from "./stream.js";

/** Answers as they come. One that is the same as the last is not given again. */
export async function* followQuery(http, asker, name, input, options, patience) {
  const { atLeast, maxRate } = checked("a live query", options, ["atLeast", "maxRate", "signal"]);
  const body = JSON.stringify(input);
  const request = (lastId) => ({
    method: "POST",
    url: http.url(["queries", name], {
      // A state that has been seen is never unseen.
      at_least: lastId === undefined ? asker.least({ atLeast }) : undefined,
      max_rate: maxRate,
    }),
    headers: lastId === undefined ? asker.header({ atLeast }) : { "last-event-id": lastId },
    body,
  });
  const open = async (lastId, signal) => {
    try {
      return await http.open(request(lastId), signal);
    } catch (error) {
      if (!asker.mayAskAgain(error, { atLeast }) || lastId !== undefined) throw error;
      return await http.open(request(lastId), signal);
    }
  };
  let last = "";
  for await (const { id, event, data } of messages(open, patience)) {
    // Another connection begins with the present answer.
    const answer = `${event} ${data}`;
    if (answer === last) continue;
    last = answer;
    const sequence = Number(id?.split("/")[1]);
    switch (event) {
      case "result":
        yield { result: valueOf(JSON.parse(data)), sequence };
        break;
      case "rejected":
      case "failed":
        yield { error: errorOf(JSON.parse(data)), sequence };
        break;
      case "gone":
        throw errorOf(JSON.parse(data));
      default:
      // Of a newer server.
    }
  }
}

/** What is no JSON comes as the one member `$bytes`. */
function valueOf(json) {
  const bytes = json?.$bytes;
  return typeof bytes === "string" && Object.keys(json).length === 1 ? ofBase64(bytes) : json;
}

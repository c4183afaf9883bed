/**
 * What a client has seen of an app: how far it goes, and in which history. A sequence means
 * nothing in another history, so both are kept, sent and forgotten together.
 *
 * @module
 */

export class Seen {
  /** The app's history; none before the first receipt. */
  history = undefined;
  /** The last sequence of a receipt; 0 before the first. */
  sequence = 0;

  /** Notes what the headers of a receipt say. */
  note(headers) {
    const history = headers.get("chancery-history");
    const sequence = Number(headers.get("chancery-sequence"));
    // A gateway, or a browser on another origin, may keep them from us.
    if (history === null || !(sequence > 0)) return;
    this.sequence = history === this.history ? Math.max(sequence, this.sequence) : sequence;
    this.history = history;
  }

  /** The app was restored or created anew: what was seen is no more. */
  forget() {
    this.history = undefined;
    this.sequence = 0;
  }

  /** The header to be sent along with a sequence, so that it is not taken for another's. */
  header() {
    return this.history === undefined ? {} : { "chancery-history": this.history };
  }
}

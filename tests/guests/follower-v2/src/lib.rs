//! `follower` after a change of mind: two projections have other rows under a new
//! version, one is new, the others are gone. Their tables are left behind.

use chancery_sdk::{Event, NewEvent, Rejection, Table, Transaction, View, app};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

app! {
    /// Follows events.
    pub struct Follower;

    tables { SEEN, COUNTS, SUBJECTS }
    commands { emit, emit_many }
    projections {
        seen version 2 tables [SEEN] { "**" => see }
        counts version 2 tables [COUNTS] { "**" => count }
        /// New in this version.
        subjects version 1 tables [SUBJECTS] { "**" => note_subject }
    }
}

const SEEN: Table<u64, String> = Table::new("seen");
const COUNTS: Table<String, Count> = Table::new("counts");
const SUBJECTS: Table<String, u64> = Table::new("subjects");

/// What there is of a type.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    /// How many events.
    events: u64,
    /// The position of the last.
    last: u64,
}

/// States an event.
#[derive(Debug, Deserialize, JsonSchema)]
struct Emit {
    #[serde(rename = "type")]
    event_type: String,
    subject: Option<String>,
    #[serde(default)]
    data: Json,
}

/// States events of one type, with the numbers from 0 as their data.
#[derive(Debug, Deserialize, JsonSchema)]
struct EmitMany {
    #[serde(rename = "type")]
    event_type: String,
    count: u32,
}

fn emit(tx: &mut Transaction, input: Emit) -> Result<String, Rejection> {
    let event = NewEvent::new(input.event_type, &input.data);
    Ok(tx.emit(&match input.subject {
        Some(subject) => event.about(subject),
        None => event,
    }))
}

fn emit_many(tx: &mut Transaction, input: EmitMany) -> Result<u32, Rejection> {
    for number in 0..input.count {
        tx.emit(&NewEvent::new(&input.event_type, &number));
    }
    Ok(input.count)
}

fn see(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    SEEN.put(view, &event.position, &format!("{} {}", event.event_type, event.data));
    Ok(())
}

fn count(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    let mut count = COUNTS.get(view, &event.event_type).unwrap_or_default();
    count.events += 1;
    count.last = event.position;
    COUNTS.put(view, &event.event_type, &count);
    Ok(())
}

fn note_subject(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    if let Some(subject) = &event.subject {
        SUBJECTS.put(view, subject, &event.position);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chancery_sdk::testing::given;
    use serde_json::json;

    use super::{COUNTS, Count, Follower, SUBJECTS};

    #[test]
    fn counts_know_the_last_of_a_type() {
        given::<Follower>()
            .when_named("emit", &json!({ "type": "a", "subject": "s" }))
            .when_named("emit-many", &json!({ "type": "a", "count": 2 }))
            .then_row(&COUNTS, "a", &Count { events: 3, last: 3 })
            .then_row(&SUBJECTS, "s", &1);
    }
}

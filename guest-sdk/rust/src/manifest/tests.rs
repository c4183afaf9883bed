//! The manifest has the shape that the server reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::testing::given;
use crate::{
    Event, Index, Indexed, NewCommand, Rejection, Snapshot, Table, Transaction, View, app,
};

app! {
    /// Several lines
    /// of text.
    ///
    /// And a paragraph.
    struct Everything;

    tables {
        /// Some rows.
        ROWS,
        OLD,
        REVERSED,
    }
    events {
        "row.written": Row,
        /// Gone for good.
        "row.deleted": u32,
    }
    queries { inner::last_row, find_row as "other-name" }
    commands {
        /// Registered with a text of its own.
        write_row,
    }
    projections {
        /// All rows,
        /// the other way round.
        rows_reversed version 3 tables [REVERSED, OLD] {
            "row.written" => reverse,
            "row.**" => forget,
        }
    }
    reactions {
        /// Writes another.
        write_again from start { "*.written" => again }
        nothing_much { "**" => again }
    }
    on_deploy: set_up;
}

const ROWS: Indexed<u32, Row> = Indexed::new(Table::new("rows"), &[&BY_NAME]);
const BY_NAME: Index<String, u32, Row> =
    Index::new("rows-by-name", |_, row| vec![row.name.clone()]);
const OLD: Table<u32, Row> = Table::new("old").adopt();

const REVERSED: Indexed<u32, Row> = Indexed::new(Table::new("reversed"), &[&REVERSED_BY_NAME]);
const REVERSED_BY_NAME: Index<String, u32, Row> =
    Index::new("reversed-by-name", |_, row| vec![row.name.clone()]);

fn reverse(view: &mut View, written: Event<Row>) -> Result<(), Rejection> {
    REVERSED.put(view, &0, &written.data);
    Ok(())
}

fn forget(_: &mut View, _: Event<u32>) -> Result<(), Rejection> {
    Ok(())
}

fn again(_: &Snapshot, _: Event<Row>) -> Result<Vec<NewCommand>, Rejection> {
    Ok(Vec::new())
}

/// A row.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Row {
    name: String,
    next: Option<Box<Self>>,
}

/// Sets up.
#[derive(Deserialize, JsonSchema)]
struct SetUp {}

fn write_row(_: &mut Transaction, _: Row) -> Result<(), Rejection> {
    Ok(())
}

fn set_up(_: &mut Transaction, SetUp {}: SetUp) -> Result<(), Rejection> {
    Ok(())
}

fn find_row(_: &Snapshot, row: Row) -> Result<Row, Rejection> {
    Ok(row)
}

mod inner {
    use super::{Rejection, Row, Snapshot};

    pub(super) fn last_row(_: &Snapshot, row: Row) -> Result<Row, Rejection> {
        Ok(row)
    }
}

fn manifest() -> Value {
    given::<Everything>().manifest()
}

fn names(members: &Value) -> Vec<&String> {
    members.as_object().expect("an object").keys().collect()
}

#[test]
fn it_names_all_there_is() {
    let manifest = manifest();
    assert_eq!(manifest["contract"], "0.1.0");
    assert_eq!(manifest["description"], "Several lines of text.\n\nAnd a paragraph.");
    assert_eq!(manifest["on_deploy"], "set-up");
    assert_eq!(names(&manifest["commands"]), ["set-up", "write-row"]);
    assert_eq!(names(&manifest["queries"]), ["last-row", "other-name"]);
    assert_eq!(names(&manifest["events"]), ["row.deleted", "row.written"]);
    let tables = json!({
        "rows": { "description": "Some rows.", "adopt": false },
        "rows-by-name": { "description": "An index of `rows`, kept by the SDK.", "adopt": false },
        "old": { "description": "", "adopt": true },
        "reversed": { "description": "", "adopt": false },
        "reversed-by-name":
            { "description": "An index of `reversed`, kept by the SDK.", "adopt": false },
    });
    assert_eq!(manifest["tables"], tables);
}

#[test]
fn what_follows_from_events_is_named() {
    let manifest = manifest();
    let projections = json!({
        "rows-reversed": {
            "description": "All rows, the other way round.",
            "version": 3,
            "on": ["row.written", "row.**"],
            "tables": ["reversed", "reversed-by-name", "old"],
        },
    });
    assert_eq!(manifest["projections"], projections);
    let reactions = json!({
        "write-again": { "description": "Writes another.", "on": ["*.written"], "from": "start" },
        "nothing-much": { "description": "", "on": ["**"], "from": "now" },
    });
    assert_eq!(manifest["reactions"], reactions);
}

#[test]
fn descriptions_are_those_of_the_registration_or_else_of_the_type() {
    let manifest = manifest();
    let command = |name: &str| manifest["commands"][name]["description"].clone();
    assert_eq!(command("write-row"), "Registered with a text of its own.");
    assert_eq!(command("set-up"), "Sets up.");
    assert_eq!(manifest["events"]["row.written"]["description"], "A row.");
    assert_eq!(manifest["events"]["row.deleted"]["description"], "Gone for good.");
}

#[test]
fn schemas_are_whole() {
    let manifest = manifest();
    let input = &manifest["commands"]["write-row"]["input"];
    assert_eq!(input["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(input["required"], json!(["name"]));
    // A type that contains itself refers to the schema it is in, or to a definition.
    let next = input["properties"]["next"].to_string();
    assert!(next.contains("\"#"), "{next}");
    assert_eq!(manifest["commands"]["set-up"]["input"]["type"], "object");
}

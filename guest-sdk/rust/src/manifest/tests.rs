//! The manifest has the shape that the server reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::testing::given;
use crate::{Index, Indexed, Rejection, Snapshot, Table, Transaction, app};

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
    on_deploy: set_up;
}

const ROWS: Indexed<u32, Row> = Indexed::new(Table::new("rows"), &[&BY_NAME]);
const BY_NAME: Index<String, u32, Row> =
    Index::new("rows-by-name", |_, row| vec![row.name.clone()]);
const OLD: Table<u32, Row> = Table::new("old").adopt();

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
    });
    assert_eq!(manifest["tables"], tables);
    assert_eq!((&manifest["projections"], &manifest["reactions"]), (&json!([]), &json!([])));
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

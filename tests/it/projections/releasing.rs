//! A table that a new version of a projection leaves out: the version that serves goes on
//! writing it, and so it is nobody else's until the new one takes its place.

use chancery::catalog::TableRow;
use chancery::engine::Error;
use chancery::record::Steer;

use super::*;

const BOTH: &str = r#""tables": ["totals", "latest"]"#;

/// The guest with other texts in its manifest.
fn changed(version: u8, changes: &[(&str, &str)]) -> Upload {
    let mut bytes = tally(version, 0);
    for (from, to) in changes {
        let found = bytes.windows(from.len()).position(|found| found == from.as_bytes());
        let at = found.unwrap_or_else(|| panic!("{from} is not in its manifest"));
        // What is left of the room is white space, which JSON does not mind.
        let to = format!("{to:width$}", width = from.len());
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    }
    Upload::Bytes(bytes.into())
}

#[test]
fn i5_a_table_that_is_left_out_is_free_when_nobody_writes_it_any_more() {
    block_on(async {
        let rig = tallied(|_| ()).await;
        note(&rig, "lamp", 1).await;
        note(&rig, "lamp", 2).await;
        let owner = |rig: &Rig| {
            let row = rig.app.snapshots().current().catalog.tables().get("latest").cloned();
            row.expect("the table is known")
        };
        let only_totals = (BOTH, r#""tables": ["totals"]"#);
        let dropped = || async { code(&rig.app.drop_table("latest").await.expect("a receipt")) };
        let deploy = |upload| async { rig.app.deploy(&name("tally"), upload).await };
        // Commands would write it beside the projection that serves.
        let for_commands = || changed(2, &[only_totals]);
        let Err(Error::Conflicts(conflicts)) = deploy(for_commands()).await else {
            panic!("two may write one table");
        };
        let told = conflicts.iter().map(ToString::to_string).collect::<String>();
        assert!(told.contains("`latest` is still written by projection `tally`"), "{told}");
        // Nobody else declares it: it stays with the module for as long as it is written.
        let without = [only_totals, (r#""latest": {}, "#, "")];
        let plan = deploy(changed(2, &without)).await.expect("it is accepted").plan;
        assert_eq!((plan.tables.released, plan.tables.orphaned), (vec!["latest".into()], vec![]));
        // What is in its code writes the other table all the same, and so it stops.
        until(&rig, "parked", is_parked).await;
        assert_eq!(owner(&rig).owner(), Some("tally"));
        assert_eq!(dropped().await, "table-in-use");
        note(&rig, "lamp", 3).await;
        let rig = &rig;
        assert_eq!(rows(rig).await, expected(rig, 1));
        for position in 1..=3 {
            let is_at = |info: &ProjectionInfo| {
                is_parked(info) && info.position(Which::Next) == Some(Position(position - 1))
            };
            until(rig, "parked at the next", is_at).await;
            assert_eq!(code(&rig.app.steer("tally", Steer::Skip).await.unwrap()), "succeeded");
        }
        until(rig, "live", is_live).await;
        assert!(matches!(owner(rig), TableRow::Orphan { of, .. } if of == "tally"));
        // Now whoever wants it may have it, or drop it.
        assert!(rig.app.deploy(&name("tally"), for_commands()).await.is_ok());
        assert_eq!(owner(rig).owner(), Some("tally"));
        let again = rig.app.deploy(&name("tally"), changed(2, &without)).await.expect("accepted");
        assert_eq!(again.plan.tables.orphaned, ["latest"]);
        assert_eq!(code(&rig.app.drop_table("latest").await.unwrap()), "succeeded");
        assert!(rig.rows("latest").await.is_err());
    });
}

//! Both comparisons at a size that says nothing about speed, and everything about
//! whether they still run and count right.

use std::path::PathBuf;
use std::time::Duration;

use chancery_bench::{Plan, events, growth, point_query, recovery, transfer};

fn plan() -> Plan {
    Plan {
        program: PathBuf::from(env!("CARGO_BIN_EXE_chancery-bench")),
        data: PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
        rounds: 2,
        turn: Duration::from_millis(200),
        connections: vec![1, 4],
        clients: 8,
        accounts: 50,
    }
}

#[test]
fn a_point_query_beside_a_bare_route() {
    let compared = point_query::run(&plan()).unwrap();
    assert_eq!(compared.iter().map(|row| row.connections).collect::<Vec<_>>(), [1, 4]);
    for row in compared {
        assert!(row.query.per_second.min > 0.0, "{row:?}");
        assert!(row.query.p50_us.median <= row.query.p99_us.median, "{row:?}");
        // It does all that the bare route does, and more.
        assert!(row.ratio.median < 1.0, "{row:?}");
    }
}

#[test]
fn transfers_beside_raw_syncs() {
    let transfer = transfer::run(&plan()).unwrap();
    assert!(transfer.syncs_per_second.min > 0.0, "{transfer:?}");
    assert!(transfer.entries > 50, "{transfer:?}");
    // Nobody waits alone, and nothing is in more rounds than two: its own, and
    // that of its outcome.
    assert!(transfer.commands_per_round.max <= 8.0 * 2.0, "{transfer:?}");
    assert!(transfer.lone_rounds.max <= 2.0, "{transfer:?}");
}

#[test]
fn memory_over_a_run() {
    let growth = growth::run(&plan(), 200, 100).unwrap();
    assert_eq!((growth.after_queries.len(), growth.after_commands.len()), (10, 10));
    assert!(growth.at_first > 0.0, "{growth:?}");
}

#[test]
fn opening_what_was_closed() {
    let recovery = recovery::run(&plan(), 500, 12_000).unwrap();
    assert!(recovery.replay_ms.min > 0.0, "{recovery:?}");
    assert!(recovery.log_mib > 0.0 && recovery.checkpoint_mib > 1.0, "{recovery:?}");
}

#[test]
fn pages_of_events_are_what_was_written() {
    let pages = events::run(&plan(), 3_000).unwrap();
    assert_eq!(pages.rows.len(), 3);
    for row in pages.rows {
        assert!(row.page_us.iter().all(|spread| spread.min > 0.0), "{row:?}");
    }
    assert!(pages.postings_mib > 0.1);
}

//! Tables that are built from events that are there already, while commands go on.

use std::sync::atomic::{AtomicBool, Ordering};

use chancery::checkpoint::AtOnce;
use chancery::clock::Clock;
use chancery::lane::Health;
use chancery::record::Steer;
use chancery_tests::disk::{Fault, SimDisk, Survival};
use chancery_tests::{seed, times};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// Emits so many events through another module, which has no projection.
async fn emit(rig: &Rig, times: u64) {
    for n in 0..times {
        let event_type = match n % 7 {
            0..4 => "item.added",
            4 => "item.cleared",
            _ => "other.thing",
        };
        let subject = format!("s{}", n % 5);
        let event = json!({ "type": event_type, "subject": subject, "data": n });
        assert_eq!(code(&rig.command("emit", event).await), "succeeded");
    }
}

#[test]
fn one_that_is_uploaded_later_sees_all_history() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        emit(&rig, 60).await;
        deploy(&rig, 1, 0).await;
        until(&rig, "live", is_live).await;
        assert_eq!(rows(&rig).await, expected(&rig, 1));
        emit(&rig, 10).await;
        assert_eq!(rows(&rig).await, expected(&rig, 1));
    });
}

#[test]
fn it_sees_what_is_in_the_archive_too() {
    block_on(async {
        const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
        let (clock, hands) = Clock::manual(1_800_000_000_000);
        let rig = Rig::with_clock(clock.clone(), |settings| {
            settings.tended = false;
            settings.log.segment_bytes = 64 << 10;
            settings.lane.window = HOUR;
            settings.keeper.receipts_keep = HOUR;
            settings.keeper.payloads_keep = HOUR;
            settings.keeper.checkpoint_bytes = 16 << 10;
        });
        let id = || chancery_tests::id_at(clock.wall_ms());
        rig.deploy("probe", "probe").await;
        let padding = "x".repeat(4_000);
        for n in 0..120_u64 {
            let event =
                json!({ "type": "item.added", "subject": format!("s{}", n % 5), "data": n });
            rig.command_with(id(), "emit", event).await;
            let row = json!({ "key": format!("k{n}"), "value": padding });
            rig.command_with(id(), "put", row).await;
            if n % 20 == 19 {
                hands.advance(HOUR);
                rig.app.keeper().tend(&mut AtOnce).expect("upkeep");
                rig.app.keeper().tend(&mut AtOnce).expect("upkeep");
            }
        }
        let archived = rig.app.keeper().archive().scan(Position(0)).count();
        assert!(archived > 20, "{archived} events are in the archive");
        deploy(&rig, 1, 0).await;
        // Its clock stands still: what waits for it looks again by itself.
        let mut looks = 0;
        while !is_live(&info(&rig)) {
            looks += 1;
            assert!(looks < 6_000, "{:?}", info(&rig));
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let [totals, latest] = rows(&rig).await;
        assert_eq!([totals.clone(), latest], expected(&rig, 1));
        let count = |value: &Value| chancery_tests::rig::json_of(value)["count"].as_u64().unwrap();
        assert_eq!(totals.values().map(count).sum::<u64>(), 120);
    });
}

#[test]
fn a_new_version_is_built_while_the_old_one_serves_and_is_kept_up() {
    block_on(async {
        // The old one is mended and takes the event, the new one stops there.
        let rig = Rig::start();
        deploy(&rig, 1, 1).await;
        until(&rig, "live", is_live).await;
        for n in 0..30 {
            note(&rig, "lamp", n).await;
        }
        bad(&rig, "err").await;
        let deployment = deploy(&rig, 2, 0).await;
        assert_eq!(deployment.plan.projections.rebuilt, ["tally"]);
        let parked = until(&rig, "parked", is_parked).await;
        assert_eq!(parked.position(Which::Next), Some(Position(30)));
        assert_eq!(parked.position(Which::Live), Some(Position(31)));
        for n in 0..10 {
            note(&rig, "chair", n).await;
        }
        assert_eq!(rows(&rig).await, expected(&rig, 1));
        let rig = rig.restart();
        note(&rig, "chair", 7).await;
        assert_eq!(rows(&rig).await, expected(&rig, 1));
        // The same version, mended: it goes on where it was.
        deploy(&rig, 2, 1).await;
        assert!(is_parked(&info(&rig)));
        assert_eq!(code(&rig.app.steer("tally", Steer::Resume).await.unwrap()), "succeeded");
        let live = until(&rig, "live", is_live).await;
        assert_eq!(live.projecting.row.live.as_ref().map(|live| live.version), Some(2));
        assert_eq!(rows(&rig).await, expected(&rig, 2));
        // Back to the first version, and on again before that is built.
        deploy(&rig, 1, 1).await;
        deploy(&rig, 2, 1).await;
        note(&rig, "desk", 1).await;
        until(&rig, "live", is_live).await;
        assert_eq!(rows(&rig).await, expected(&rig, 2));
    });
}

#[test]
fn i12_what_a_command_costs_its_projections_is_bounded_in_time_and_bytes() {
    block_on(async {
        let no_time = |settings: &mut chancery::engine::Settings| {
            settings.lane.fold_time_max = std::time::Duration::ZERO;
        };
        let few_bytes = |settings: &mut chancery::engine::Settings| {
            settings.lane.fold_bytes_max = 4_000;
        };
        for (rig, least) in [(tallied(no_time).await, 0), (tallied(few_bytes).await, 1)] {
            let many = json!({ "subject": "lamp", "data": 1, "times": 500 });
            let receipt = rig.command("note", many).await;
            assert_eq!(code(&receipt), "succeeded");
            let outcome = receipt.outcome.as_ref().expect("an outcome");
            assert_eq!(outcome.events.len(), 500);
            // The outcome says how far its projection came; the worker does the others.
            let changed = |table: &str| {
                let mut tables = outcome.changes.tables.iter();
                tables.find(|changes| changes.table.as_str() == table).map(|it| &it.rows)
            };
            let noted = changed("$projections").and_then(|rows| rows[0].1.clone());
            let noted = chancery_tests::rig::json_of(&noted.expect("it was left behind"));
            let position = noted["live"]["position"].as_u64().expect("a position");
            assert!((least..400).contains(&position), "{noted}");
            assert_eq!(noted["live"]["parked"], json!(null));
            let total = changed("totals").and_then(|rows| rows[0].1.clone());
            let count = total.map_or(0, |total| {
                chancery_tests::rig::json_of(&total)["count"].as_u64().expect("a count")
            });
            assert_eq!(count, position, "what is in the tables is what is said to be");
            until(&rig, "live", is_live).await;
            assert_eq!(rows(&rig).await, expected(&rig, 1));
            let rig = rig.restart();
            until(&rig, "live", is_live).await;
            assert_eq!(rows(&rig).await, expected(&rig, 1));
        }
    });
}

/// Commands at random, as many as can be, until told to stop.
async fn keep_busy(rig: &Rig, seed: u64, stop: &AtomicBool) -> u64 {
    let (mut random, mut n) = (StdRng::seed_from_u64(seed), 0);
    while !stop.load(Ordering::Relaxed) {
        let subject = format!("s{}", random.random_range(0..20));
        let event_type = ["item.added", "item.made.well", "other.thing", "item.cleared"]
            [random.random_range(0..4)];
        let times = random.random_range(1..6);
        let one = json!({ "type": event_type, "subject": subject, "data": n, "times": times });
        let name = if random.random_range(0..10) == 0 { "refuse" } else { "note" };
        rig.command(name, one).await;
        n += 1;
    }
    n
}

#[test]
fn rebuilt_tables_equal_those_that_were_kept_up_whenever_it_is_done() {
    block_on(async {
        let rounds = times("CHANCERY_REBUILDS", 6);
        let seed = seed();
        let mut random = StdRng::seed_from_u64(seed);
        let mut disk = SimDisk::new();
        let mut rig = tallied(|settings| {
            settings.lane.replace_instance_share = 0.1;
            // Some commands leave it behind.
            settings.lane.fold_bytes_max = 1_000;
            settings.disk = Arc::new(disk.clone());
        })
        .await;
        let (mut version, mut n_commands) = (1, 0);
        for round in 0..rounds as u64 {
            let stop = AtomicBool::new(false);
            let (busy, ()) = tokio::join!(keep_busy(&rig, seed + round, &stop), async {
                let pause = std::time::Duration::from_millis(random.random_range(20..200));
                tokio::time::sleep(pause).await;
                match random.random_range(0..3) {
                    0 => {
                        version = 3 - version;
                        deploy(&rig, version, 0).await;
                    }
                    1 => {
                        rig.app.steer("tally", Steer::Rebuild).await.expect("a receipt");
                        rig.app.steer("tally", Steer::Rebuild).await.expect("a receipt");
                    }
                    _ => drop(rig.app.steer("tally", Steer::Rebuild).await.expect("a receipt")),
                }
                if random.random_range(0..2) == 0 {
                    until(&rig, "live", is_live).await;
                }
                stop.store(true, Ordering::Relaxed);
            });
            n_commands += busy;
            if random.random_range(0..2) == 0 {
                rig = match random.random_range(0..2) {
                    0 => rig.restart(),
                    _ => {
                        disk = disk.crash(Survival::Mixed, &mut random);
                        let disk = Arc::new(disk.clone());
                        rig.open_again(|settings| settings.disk = disk)
                    }
                };
            }
            rig.settle().await;
            until(&rig, "live", is_live).await;
            assert_eq!(rows(&rig).await, expected(&rig, version.into()), "round {round}");
        }
        assert!(n_commands > 0);
        let kept_up = rows(&rig).await;
        rig.app.steer("tally", Steer::Rebuild).await.expect("a receipt");
        until(&rig, "live", is_live).await;
        assert_eq!(rows(&rig).await, kept_up);
    });
}

#[test]
fn i1_i5_a_build_that_is_cut_off_at_any_step_is_completed() {
    block_on(async {
        let crashes = times("CHANCERY_BUILD_CRASHES", 10);
        let mut random = StdRng::seed_from_u64(seed());
        let disk = SimDisk::new();
        let of_disk = |disk: SimDisk| {
            move |settings: &mut chancery::engine::Settings| {
                settings.disk = Arc::new(disk);
                settings.tended = false;
            }
        };
        let rig = Rig::with(of_disk(disk.clone()));
        rig.deploy("probe", "probe").await;
        // More than one step's worth.
        let many = json!({ "type": "item.added", "subject": "s", "data": 1, "times": 1_300 });
        emit(&rig, 40).await;
        deploy(&rig, 1, 0).await;
        rig.command("note", many.clone()).await;
        rig.command("note", many).await;
        until(&rig, "live", is_live).await;
        let from = disk.position();
        deploy(&rig, 2, 0).await;
        note(&rig, "while it is built", 1).await;
        until(&rig, "live", is_live).await;
        note(&rig, "afterwards", 1).await;
        rig.app.keeper().checkpoint(&mut AtOnce).expect("a checkpoint");
        let upto = disk.position();
        let whole = rows(&rig).await;
        assert_eq!(whole, expected(&rig, 2));
        let mut walk = disk.recording().walk();
        let mut positions: Vec<u64> =
            (0..crashes).map(|_| random.random_range(from..upto)).collect();
        positions.sort_unstable();
        let mut rig = rig;
        for position in positions {
            walk.advance_to(position);
            let image = walk.image(Survival::Mixed, &mut random);
            rig = rig.open_again(of_disk(image));
            rig.settle().await;
            let info = until(&rig, "live", is_live).await;
            let version = info.projecting.row.live.as_ref().map(|live| live.version);
            let version = version.expect("it is live");
            let found = rows(&rig).await;
            assert_eq!(found, expected(&rig, version.into()), "cut off at {position}");
            note(&rig, "after the crash", 1).await;
            assert_eq!(rows(&rig).await, expected(&rig, version.into()), "at {position}");
        }
    });
}

#[test]
fn i5_a_build_goes_on_after_a_log_that_failed() {
    block_on(async {
        let rounds = times("CHANCERY_BUILD_FAULTS", 10);
        let mut random = StdRng::seed_from_u64(seed());
        let disk = SimDisk::new();
        let rig = tallied(|settings| {
            settings.disk = Arc::new(disk.clone());
            settings.tended = false;
            settings.lane.reopen_after = std::time::Duration::from_millis(10);
        })
        .await;
        let many = json!({ "type": "item.added", "subject": "s", "data": 1, "times": 1_300 });
        rig.command("note", many.clone()).await;
        rig.command("note", many).await;
        let mut failed = 0;
        for _ in 0..rounds {
            disk.fail(Fault::once(random.random_range(1..60)));
            // It may not be logged, and nobody may know: then there is nothing to do.
            drop(rig.app.steer("tally", Steer::Rebuild).await);
            until(&rig, "live", is_live).await;
            failed += disk.failed().len();
            disk.heal();
            // Events are read from the log, which may just be opened again.
            while rig.app.lane().health() != Health::Running {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            until(&rig, "live", is_live).await;
            assert_eq!(rows(&rig).await, expected(&rig, 1));
        }
        assert!(failed > 0, "no step failed");
        note(&rig, "afterwards", 1).await;
        assert_eq!(rows(&rig).await, expected(&rig, 1));
    });
}

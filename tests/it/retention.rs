//! What is not kept for ever: an app under a constant load takes a bounded room, and
//! what was erased is in no file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery::checkpoint::AtOnce;
use chancery::clock::{Clock, Manual};
use chancery::engine::{Error, Submitted};
use chancery::receipts;
use chancery::record::Record;
use chancery::value::{Position, Sequence};
use chancery_tests::rig::{Rig, code, outcome, result};
use chancery_tests::{block_on, id_at};
use serde_json::json;

const HOUR: Duration = Duration::from_secs(3600);
const WALL_MS: u64 = 1_800_000_000_000;

/// An engine with small files and short times, which does its upkeep when it is told.
fn rig(clock: Clock) -> Rig {
    Rig::with_clock(clock, |settings| {
        settings.tended = false;
        settings.log.segment_bytes = 64 << 10;
        settings.lane.window = HOUR;
        settings.keeper.receipts_keep = HOUR * 2;
        settings.keeper.payloads_keep = HOUR * 2;
        settings.keeper.checkpoint_bytes = 16 << 10;
    })
}

fn tend(rig: &Rig) {
    rig.app.keeper().tend(&mut AtOnce).expect("upkeep");
}

/// All files below a directory, with their bytes.
fn files(directory: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            let bytes = std::fs::read(&path).expect("readable");
            found.insert(path, bytes);
        }
    }
    found
}

fn bytes_without(directory: &Path, left_out: &str) -> u64 {
    let counted = files(directory).into_iter();
    let counted = counted.filter(|(path, _)| !path.starts_with(directory.join(left_out)));
    counted.map(|(_, bytes)| bytes.len() as u64).sum()
}

fn holding(directory: &Path, marker: &str) -> Vec<std::path::PathBuf> {
    let marker = marker.as_bytes();
    let holds = |bytes: &[u8]| bytes.windows(marker.len()).any(|found| found == marker);
    let found = files(directory).into_iter().filter(|(_, bytes)| holds(bytes));
    found.map(|(path, _)| path).collect()
}

/// Every event of the app: those in the archive, then those that only the log has.
fn positions(rig: &Rig) -> Vec<u64> {
    let keeper = rig.app.keeper();
    let archive = keeper.archive();
    let mut positions: Vec<u64> =
        archive.scan(Position(0)).map(|event| event.expect("readable").position.0).collect();
    rig.app.lane().seal().expect("sealed");
    let upkeep = rig.app.lane().upkeep().expect("open");
    let last = positions.last().copied().unwrap_or_default();
    for segment in upkeep.segments() {
        let read = upkeep.check(segment.first_round, &mut |round| {
            for record in round.records {
                if let Record::Outcome(outcome) = record {
                    let events = outcome.events.iter().map(|event| event.position.0);
                    positions.extend(events.filter(|position| *position > last));
                }
            }
            Ok(())
        });
        read.expect("whole");
    }
    positions
}

fn steps(hands: &Manual, hours: u32) {
    hands.advance(HOUR * hours);
}

#[test]
fn i2_an_app_under_a_constant_load_takes_a_bounded_room() {
    block_on(async {
        let (clock, hands) = Clock::manual(WALL_MS);
        let mut rig = rig(clock.clone());
        rig.deploy("probe", "probe").await;
        let padding = "x".repeat(400);
        let first = id_at(clock.wall_ms());
        rig.command_with(first, "put", json!({ "key": "first", "value": 1 })).await;
        let (mut sizes, mut n_events) = (Vec::new(), 0_u64);
        for cycle in 0..16_u64 {
            let mut recent = Vec::new();
            for n in 0..250_u64 {
                let id = id_at(clock.wall_ms());
                let receipt = match n % 5 {
                    0 => {
                        n_events += 1;
                        let event = json!({ "type": "thing.done", "data": { "n": n_events }, "subject": "a/1" });
                        rig.command_with(id, "emit", event).await
                    }
                    _ => {
                        let row = json!({ "key": format!("k{}", n % 50), "value": padding });
                        rig.command_with(id, "put", row).await
                    }
                };
                assert_eq!(code(&receipt), "succeeded");
                recent.push((id, receipt));
            }
            tend(&rig);
            tend(&rig);
            if cycle % 4 == 3 {
                rig = rig.restart();
                tend(&rig);
                // Within the window the same id gives the same receipt.
                for (id, receipt) in recent.iter().step_by(40) {
                    match rig.app.find(*id).expect("known") {
                        Submitted::Settled(again) => {
                            assert_eq!(again.entry, receipt.entry);
                            assert_eq!(again.outcome, receipt.outcome);
                        }
                        flying @ Submitted::Flying { .. } => panic!("{flying:?}"),
                    }
                }
            }
            hands.advance(HOUR / 2);
            sizes.push(bytes_without(&rig.app_directory(), "events"));
        }
        let sequence = rig.sequence();
        assert!(sequence > 4000, "{sequence}");
        let lane = rig.app.lane();
        assert!(lane.receipts().first() > Sequence(1500), "{}", lane.receipts().first());
        // After the first hours it no longer grows.
        let (early, late) = (sizes[7], *sizes.last().expect("sizes"));
        assert!(late < early + early / 2, "{sizes:?}");
        // What is gone is told to be gone, and does not run again.
        let gone = lane.receipt(Sequence(2)).expect_err("not kept");
        assert!(matches!(gone, receipts::Error::Trimmed { .. }), "{gone:?}");
        let again =
            rig.app.submit(rig.request(first, "put", &json!({ "key": "first", "value": 1 })));
        assert!(again.is_err(), "an id out of the window is never run");
        let expected: Vec<u64> = (1..=n_events).collect();
        assert_eq!(positions(&rig), expected, "no event is lost, none is there twice");
        assert!(rig.app.keeper().archive().last().expect("readable") > Position(100));
        assert_eq!(rig.app.keeper().scrub_all(&mut AtOnce), Vec::<String>::new());
        // Either checkpoint is enough for what is left.
        for lost in ["state.a.redb", "state.b.redb"] {
            rig.engine.close(chancery_tests::rig::PATIENCE);
            std::fs::rename(rig.app_directory().join(lost), rig.app_directory().join("aside"))
                .expect("renamed");
            rig = rig.open_again(|_| ());
            assert_eq!(rig.sequence(), sequence, "{lost}");
            std::fs::remove_file(rig.app_directory().join("aside")).expect("removed");
            rig.app.keeper().checkpoint(&mut AtOnce).expect("a checkpoint");
        }
    });
}

/// Some hours of commands whose ids are right, whatever the server's clock says, and the
/// upkeep that goes with them. Returns the last entry.
async fn some_hours(rig: &Rig, hands: &Manual, right_ms: &mut u64, hours: u64) -> Sequence {
    for _ in 0..hours {
        for n in 0..4 {
            let row = json!({ "key": format!("k{n}"), "value": "x".repeat(100) });
            let receipt = rig.command_with(id_at(*right_ms), "put", row).await;
            assert_eq!(code(&receipt), "succeeded");
        }
        hands.advance(HOUR);
        *right_ms += 3_600_000;
        tend(rig);
        tend(rig);
    }
    rig.app.lane().last_sequence()
}

#[test]
fn a_clock_that_was_far_ahead_for_a_while_does_not_keep_everything_for_ever() {
    const YEARS_MS: u64 = 10 * 365 * 24 * 3_600_000;
    block_on(async {
        let (clock, hands) = Clock::manual(WALL_MS);
        let rig = rig(clock);
        rig.deploy("probe", "probe").await;
        let mut right_ms = WALL_MS;
        some_hours(&rig, &hands, &mut right_ms, 2).await;
        hands.set_wall(right_ms + YEARS_MS);
        let ahead = some_hours(&rig, &hands, &mut right_ms, 2).await;
        assert!(rig.app.lane().anchor().time_ms > right_ms + YEARS_MS / 2, "it was ahead");
        hands.set_wall(right_ms);
        some_hours(&rig, &hands, &mut right_ms, 1).await;
        let kept = rig.app.lane().receipts().first();
        assert!(kept <= ahead, "not yet: it was two hours ago at most, and {kept} is kept");
        let late = some_hours(&rig, &hands, &mut right_ms, 6).await;
        let kept = rig.app.lane().receipts().first();
        assert!(kept > ahead && kept <= late, "{kept} is kept after {ahead} and {late}");
        // Nothing of it has to be remembered.
        let rig = rig.restart();
        some_hours(&rig, &hands, &mut right_ms, 8).await;
        let kept = rig.app.lane().receipts().first();
        assert!(kept > late, "{kept} is kept after {late}");
    });
}

#[test]
fn an_app_made_by_a_clock_that_was_far_ahead_keeps_no_more_than_others() {
    const YEARS_MS: u64 = 10 * 365 * 24 * 3_600_000;
    block_on(async {
        let (clock, hands) = Clock::manual(WALL_MS + YEARS_MS);
        let rig = rig(clock);
        rig.deploy("probe", "probe").await;
        hands.set_wall(WALL_MS);
        let mut right_ms = WALL_MS;
        let early = some_hours(&rig, &hands, &mut right_ms, 2).await;
        some_hours(&rig, &hands, &mut right_ms, 6).await;
        let kept = rig.app.lane().receipts().first();
        assert!(kept > early, "{kept} is kept after {early}");
    });
}

#[test]
fn a_clock_that_went_back_for_a_while_lets_nothing_go_early() {
    block_on(async {
        let (clock, hands) = Clock::manual(WALL_MS);
        let rig = rig(clock);
        rig.deploy("probe", "probe").await;
        let mut right_ms = WALL_MS;
        // Long enough that something was forgotten.
        some_hours(&rig, &hands, &mut right_ms, 6).await;
        let before = rig.app.lane().receipts().first();
        assert!(before > Sequence(1), "{before}");
        hands.set_wall(1_000_000);
        let row = json!({ "key": "k", "value": 1 });
        let known = rig.app.submit(rig.request(id_at(2_000_000), "put", &row));
        assert!(known.is_err(), "of before what was forgotten");
        tend(&rig);
        rig.app.lane().seal().expect("sealed");
        hands.advance(Duration::from_secs(61));
        tend(&rig);
        tend(&rig);
        assert_eq!(rig.app.lane().receipts().first(), before);
        hands.set_wall(right_ms);
        tend(&rig);
        assert!(rig.app.lane().receipts().first() <= Sequence(before.0 + 8));
    });
}

#[test]
fn inputs_go_before_receipts_if_they_are_told_to() {
    block_on(async {
        let (clock, hands) = Clock::manual(WALL_MS);
        let rig = rig(clock.clone()).restart_with(|settings| {
            settings.keeper.receipts_keep = HOUR * 100;
        });
        rig.deploy("probe", "probe").await;
        let id = id_at(clock.wall_ms());
        rig.command_with(id, "put", json!({ "key": "a", "value": "of the state" })).await;
        tend(&rig);
        steps(&hands, 3);
        rig.command_with(id_at(clock.wall_ms()), "put", json!({ "key": "b", "value": 2 })).await;
        for _ in 0..4 {
            hands.advance(Duration::from_secs(600));
            rig.command_with(id_at(clock.wall_ms()), "put", json!({ "key": "b", "value": 3 }))
                .await;
            tend(&rig);
        }
        // The segment was sealed because of its first entries; now its last are old too.
        for _ in 0..2 {
            steps(&hands, 2);
            rig.command_with(id_at(clock.wall_ms()), "put", json!({ "key": "b", "value": 4 }))
                .await;
            tend(&rig);
        }
        let Submitted::Settled(receipt) = rig.app.find(id).expect("kept") else {
            panic!("settled")
        };
        assert!(receipt.entry.erased, "the input is gone");
        assert_eq!(result(&receipt), json!(null), "the result of `put`");
        assert!(!outcome(&receipt).erased, "the outcome stays");
    });
}

#[test]
fn what_is_erased_is_in_no_file() {
    block_on(async {
        let (clock, _hands) = Clock::manual(WALL_MS);
        let rig = rig(clock.clone());
        rig.deploy("probe", "probe").await;
        let id = id_at(clock.wall_ms());
        let event = json!({ "type": "thing.said", "data": { "text": "MARKER-4711" }, "subject": "MARKER-4712" });
        let receipt = rig.command_with(id, "emit", event.clone()).await;
        assert_eq!(code(&receipt), "succeeded");
        assert!(!holding(&rig.app_directory(), "MARKER-471").is_empty());
        let erasing = rig.app.erase(id).await.expect("erased");
        assert_eq!(code(&erasing), "succeeded");
        let again = rig.app.erase(id).await.expect("erased already");
        assert_eq!(again.entry.sequence, erasing.entry.sequence, "idempotent");
        let refused = rig.app.erase(erasing.entry.id).await.expect_err("no command");
        assert!(matches!(refused, Error::NotErasable { .. }), "{refused:?}");
        let unknown = rig.app.erase(id_at(WALL_MS)).await.expect_err("unknown");
        assert!(matches!(unknown, Error::UnknownReceipt { .. }), "{unknown:?}");
        let masked = |rig: &Rig| {
            let Submitted::Settled(receipt) = rig.app.find(id).expect("known") else {
                panic!("settled")
            };
            assert!(receipt.entry.erased && outcome(&receipt).erased);
            assert!(!format!("{receipt:?}").contains("MARKER"), "{receipt:?}");
            let page = rig.app.receipts(None, None, 10, 1 << 20).expect("a page");
            assert!(!format!("{page:?}").contains("MARKER"));
        };
        masked(&rig);
        // The same id is answered, and does not run again.
        let retried = rig.app.submit(rig.request(id, "emit", &event)).expect("answered");
        assert!(matches!(retried, Submitted::Settled(_)), "{retried:?}");
        // Found again after a restart that came before anything was done.
        let rig = rig.restart();
        masked(&rig);
        assert!(rig.app.keeper().is_erasing());
        tend(&rig);
        assert!(!rig.app.keeper().is_erasing());
        assert_eq!(holding(&rig.app_directory(), "MARKER-471"), Vec::<std::path::PathBuf>::new());
        masked(&rig);
        assert_eq!(rig.app.keeper().scrub_all(&mut AtOnce), Vec::<String>::new());
        let sequence = rig.sequence();
        let rig = rig.restart();
        assert_eq!(rig.sequence(), sequence);
        masked(&rig);
        for lost in ["state.a.redb", "state.b.redb"] {
            let copy = tempfile::TempDir::new().expect("a directory");
            copy_all(&rig.app_directory(), copy.path());
            std::fs::remove_file(copy.path().join(lost)).expect("removed");
            let disk: Arc<dyn chancery::disk::Disk> = Arc::new(chancery::disk::Files);
            let checkpoints =
                chancery::checkpoint::Checkpoints::new(Arc::clone(&disk), copy.path().to_owned());
            let base = checkpoints.load(&mut |_, _| ()).expect("loaded").checkpoint;
            assert!(base.is_some(), "{lost}");
            let log =
                chancery::log::Segments::new(disk, copy.path().join("log"), Default::default());
            let recovered =
                chancery::recovery::recover(&log, base, &mut |_| ()).expect("recovered");
            assert_eq!(recovered.state.sequence().0, sequence, "{lost}");
        }
    });
}

#[test]
fn events_of_what_was_trimmed_are_erased_as_well() {
    block_on(async {
        let (clock, hands) = Clock::manual(WALL_MS);
        let rig = rig(clock.clone());
        rig.deploy("probe", "probe").await;
        let id = id_at(clock.wall_ms());
        let event = json!({ "type": "thing.said", "data": { "text": "MARKER-4713" } });
        let receipt = rig.command_with(id, "emit", event).await;
        for _ in 0..8 {
            steps(&hands, 1);
            for n in 0..20 {
                let id = id_at(clock.wall_ms());
                rig.command_with(id, "put", json!({ "key": "b", "value": n })).await;
            }
            tend(&rig);
            tend(&rig);
        }
        let sequence = receipt.entry.sequence;
        assert!(rig.app.lane().receipts().first() > sequence);
        let archived = rig.app.keeper().archive().event(Position(1)).expect("readable");
        let archived = archived.expect("archived");
        assert_eq!((archived.sequence, archived.command_id), (sequence, id));
        let data = archived.body.expect("not erased").data;
        assert!(data.contains("MARKER-4713"), "{data}");
        // Its id may be forgotten by now; the sequence is not.
        let act = chancery::record::Act::Erase { sequence };
        let by = id_at(clock.wall_ms());
        let submission = chancery::lane::Submission {
            id: by,
            windowed: false,
            fingerprint: chancery::value::Hash::of(b"erase"),
            act,
            admitted: None,
            keep: None,
        };
        rig.app.lane().submit(submission).expect("a place");
        while rig.sequence() < rig.app.lane().last_sequence().0 {
            tokio::task::yield_now().await;
        }
        tend(&rig);
        assert!(holding(&rig.app_directory(), "MARKER-4713").is_empty());
        let archived = rig.app.keeper().archive().event(Position(1)).expect("readable");
        assert_eq!(archived.expect("there").body, None);
    });
}

#[test]
fn i11_damage_is_found_told_and_a_checkpoint_is_mended() {
    block_on(async {
        let (clock, _hands) = Clock::manual(WALL_MS);
        let rig = rig(clock.clone());
        rig.deploy("probe", "probe").await;
        let id = id_at(clock.wall_ms());
        rig.command_with(id, "put", json!({ "key": "a", "value": 1 })).await;
        rig.app.keeper().checkpoint(&mut AtOnce).expect("a checkpoint");
        rig.app.keeper().checkpoint(&mut AtOnce).expect("a checkpoint");
        rig.app.lane().seal().expect("sealed");
        assert_eq!(rig.app.keeper().scrub_all(&mut AtOnce), Vec::<String>::new());
        let spoil = |path: &Path| {
            let mut bytes = std::fs::read(path).expect("readable");
            let middle = bytes.len() / 2;
            bytes[..middle].fill(0xee);
            std::fs::write(path, bytes).expect("written");
        };
        spoil(&rig.app_directory().join("state.a.redb"));
        for run in std::fs::read_dir(rig.app_directory().join("index")).expect("an index") {
            spoil(&run.expect("a run").path());
        }
        let modules = std::fs::read_dir(rig.app_directory().join("modules")).expect("modules");
        for module in modules {
            spoil(&module.expect("a module").path());
        }
        let found = rig.app.keeper().scrub_all(&mut AtOnce);
        assert_eq!(found.len(), 2, "the index was built again: {found:?}");
        let known = rig.app.find(id).expect("the index knows it");
        assert!(matches!(known, Submitted::Settled(_)), "{known:?}");
        assert_eq!(rig.app.damage(), found);
        assert!(found.iter().any(|what| what.contains("state.a.redb")), "{found:?}");
        tend(&rig);
        let found = rig.app.keeper().scrub_all(&mut AtOnce);
        assert_eq!(found.len(), 1, "the checkpoint was written anew: {found:?}");
    });
}

fn copy_all(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let target = to.join(path.strip_prefix(from).expect("below"));
        std::fs::create_dir_all(target.parent().expect("a parent")).expect("a directory");
        std::fs::write(target, bytes).expect("written");
    }
}

//! The archive of events: whole ones pass, each damage is named, and so is what is
//! missing or older than the rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chancery::backup;
use chancery::checkpoint::AtOnce;
use chancery::clock::{Clock, Manual};
use chancery::disk::{Disk, Files};
use chancery::value::{History, Position};
use chancery::verify::{Effect, Report, Unwatched};
use chancery_tests::rig::{PATIENCE, code};
use chancery_tests::{Rig, Uuid, block_on, id_at};
use serde_json::json;

use super::{check, copy_of, flip, flip_at, needle};

const HOUR: Duration = Duration::from_secs(3600);

/// An engine with small files and short times, which does its upkeep when it is told.
fn rig(clock: Clock) -> Rig {
    Rig::with_clock(clock, |settings| {
        settings.tended = false;
        settings.log.segment_bytes = 64 << 10;
        settings.lane.window = HOUR;
        settings.keeper.receipts_keep = HOUR;
        settings.keeper.payloads_keep = HOUR;
        settings.keeper.checkpoint_bytes = 1;
    })
}

/// Some hours of events, and the upkeep that goes with them; the id of the first command.
async fn some_hours(rig: &Rig, hands: &Manual, hours: u32) -> Uuid {
    let first = id_at(rig.clock.wall_ms());
    for hour in 0..hours {
        for n in 0..20 {
            let id = if hour + n == 0 { first } else { id_at(rig.clock.wall_ms()) };
            let data = json!({ "n": format!("needle {hour} {n} ") });
            let event = json!({ "type": "thing.done", "data": data });
            assert_eq!(code(&rig.command_with(id, "emit", event).await), "succeeded");
        }
        hands.advance(HOUR);
        for _ in 0..3 {
            rig.app.keeper().tend(&mut AtOnce).expect("upkeep");
        }
    }
    first
}

/// An app whose older events are in the archive, in some files, and the id of the
/// command that emitted the first.
fn trimmed() -> (Rig, Uuid) {
    let (clock, hands) = Clock::manual(1_800_000_000_000);
    let rig = rig(clock);
    let first = block_on(async {
        rig.deploy("probe", "probe").await;
        some_hours(&rig, &hands, 10).await
    });
    (rig, first)
}

fn archive_of(app: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(app.join("events")).expect("an archive");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// What is found after something was done to a copy of an app.
fn after(rig: &Rig, harm: impl FnOnce(&Path, &[PathBuf]) -> PathBuf) -> (Report, PathBuf) {
    let (_data, app) = copy_of(&rig.app_directory());
    let file = harm(&app, &archive_of(&app));
    let file = app.join(file.strip_prefix(&app).expect("below"));
    let report = check(&app);
    (report, file)
}

fn named(what: &str, report: &Report, file: &Path, effect: Effect, says: &str) {
    let found = report.findings.iter().find(|finding| finding.file == file);
    let found = found.unwrap_or_else(|| panic!("{what}: {:#?}", report.findings));
    assert!(found.what.contains(says), "{what}: {found:#?}");
    assert_eq!(found.effect, effect, "{what}: {found:#?}");
}

#[test]
fn i11_each_damage_to_the_archive_is_named() {
    let (rig, _) = trimmed();
    let last = rig.app.keeper().archive().last().expect("readable");
    rig.engine.close(PATIENCE);
    let (whole, _) = after(&rig, |app, files| {
        assert!(files.len() >= 3, "{files:?}");
        app.into()
    });
    assert_eq!(whole.findings, []);
    assert!(last > Position(20), "{last}");
    assert_eq!(whole.archived, last.0, "every event of it is counted");

    let (report, file) = after(&rig, |_, files| {
        flip(&files[1], &needle(&files[1]));
        files[1].clone()
    });
    named("a flipped event", &report, &file, Effect::Unnoticed, "does not match its hash");

    let (report, file) = after(&rig, |_, files| {
        flip_at(&files[1], 20);
        files[1].clone()
    });
    named("a flipped beginning", &report, &file, Effect::GoesOn, "header");

    let (report, file) = after(&rig, |_, files| {
        let length = std::fs::metadata(&files[1]).expect("there").len();
        let open = std::fs::OpenOptions::new().write(true).open(&files[1]).expect("opened");
        open.set_len(length / 2).expect("cut");
        files[1].clone()
    });
    named("one that ends early", &report, &file, Effect::GoesOn, "");

    let (report, file) = after(&rig, |_, files| {
        std::fs::remove_file(&files[1]).expect("removed");
        files[2].clone()
    });
    named("one that is missing", &report, &file, Effect::GoesOn, "does not continue");

    let (report, directory) = after(&rig, |app, files| {
        // The events of the very last may be in the log still.
        for file in &files[1..] {
            std::fs::remove_file(file).expect("removed");
        }
        app.join("events")
    });
    named("last ones that are missing", &report, &directory, Effect::Unnoticed, "are missing");

    let (report, directory) = after(&rig, |app, _| {
        std::fs::remove_dir_all(app.join("events")).expect("removed");
        app.join("events")
    });
    named("no archive", &report, &directory, Effect::Unnoticed, "events 1 to");
}

#[test]
fn i11_a_file_of_another_archive_does_not_continue_this_one() {
    let (rig, _) = trimmed();
    let (other, _) = trimmed();
    rig.engine.close(PATIENCE);
    other.engine.close(PATIENCE);
    let (report, file) = after(&rig, |_, files| {
        std::fs::copy(&archive_of(&other.app_directory())[0], &files[0]).expect("copied");
        files[1].clone()
    });
    named("another's file", &report, &file, Effect::GoesOn, "does not continue");
}

#[test]
fn an_older_copy_with_erased_events_is_noted_and_an_erasure_that_nobody_asked_for_is_found() {
    let (rig, first) = trimmed();
    let older = archive_of(&rig.app_directory())[0].clone();
    let with_bodies = std::fs::read(&older).expect("readable");
    // Its receipt is not kept any more, but by its entry it can be erased.
    let sequence = {
        let keeper = rig.app.keeper();
        let event = keeper.archive().event(Position(1)).expect("readable").expect("there");
        assert_eq!(event.command_id, first);
        event.sequence
    };
    rig.app.keeper().archive().erase(&[sequence].into()).expect("erased");
    let without = std::fs::read(&older).expect("readable");
    assert_ne!(with_bodies, without);
    rig.engine.close(PATIENCE);
    // In the file it is gone, and in the state it is not.
    let (report, file) = after(&rig, |_, files| files[0].clone());
    named("erased by nobody", &report, &file, Effect::Unnoticed, "no entry erased it");

    let rig = rig.open_again(|_| ());
    block_on(async {
        let submission = chancery::lane::Submission {
            id: id_at(rig.clock.wall_ms()),
            windowed: false,
            fingerprint: chancery::value::Hash::of(b"erase"),
            act: chancery::record::Act::Erase { sequence },
            admitted: None,
            keep: None,
        };
        rig.app.lane().submit(submission).expect("a place");
        while rig.sequence() < rig.app.lane().last_sequence().0 {
            tokio::task::yield_now().await;
        }
    });
    rig.engine.close(PATIENCE);
    let (report, _) = after(&rig, |app, _| app.into());
    assert_eq!(report.findings, []);
    std::fs::write(&older, with_bodies).expect("written");
    // What a start mends is no damage.
    let (report, _) = after(&rig, |app, _| app.into());
    assert_eq!(report.findings, []);
    let rig = rig.open_again(|_| ());
    rig.app.keeper().tend(&mut AtOnce).expect("upkeep");
    assert!(std::fs::read(&older).expect("readable") == without, "taken out again");
}

#[test]
fn after_a_restore_an_archive_goes_on_in_the_name_of_the_new_history() {
    let (rig, _) = trimmed();
    let before = rig.app.keeper().archive().last().expect("readable");
    let events = rig.app.snapshots().current().state.position();
    let backup = rig.app.backup(None).expect("a backup").path;
    let (clock, hands) = Clock::manual(rig.clock.wall_ms());
    let again = self::rig(clock);
    again.engine.close(PATIENCE);
    let app = again.app_directory();
    std::fs::remove_dir_all(&app).expect("removed");
    let history = History(Uuid::now_v7());
    let disk: Arc<dyn Disk> = Arc::new(Files);
    let apps = app.parent().expect("apps");
    backup::restore(&disk, &backup, apps, None, history, &mut Unwatched).expect("restored");
    let again = again.open_again(|_| ());
    assert_eq!(again.app.snapshots().history(), history);
    block_on(some_hours(&again, &hands, 6));
    {
        let keeper = again.app.keeper();
        let archive = keeper.archive();
        let last = archive.last().expect("readable");
        assert!(last > events, "what came after the restore is there too: {last}");
        let positions: Vec<_> =
            archive.scan(Position(1)).map(|event| event.expect("readable").position.0).collect();
        assert_eq!(positions, (1..=last.0).collect::<Vec<_>>());
    }
    again.engine.close(PATIENCE);
    assert_eq!(check(&app).findings, []);
    // What was written before says by whom.
    for file in archive_of(&app) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let is_older = name.parse::<u64>().expect("a position") <= before.0;
        let of =
            Uuid::from_slice(&std::fs::read(&file).expect("readable")[16..32]).expect("a UUID");
        assert_eq!(of == history.0, !is_older, "{}", file.display());
    }
}

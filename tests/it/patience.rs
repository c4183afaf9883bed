//! A disk that fails or is silent for a moment: the lane waits, blames nobody, and goes
//! on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chancery::lane::{Answer, Health, Settings, Submission, Ticket};
use chancery::log::memory::Fault;
use chancery::record::{Act, Deploy};
use chancery::value::Hash;
use chancery_tests::rig::{PATIENCE, code, name};
use chancery_tests::{LaneRig, block_on, guest, new_id};
use serde_json::json;

const IDLE: u8 = 1;
const RUNNING: u8 = 2;

fn slot(rig: &LaneRig) -> u8 {
    let bytes = std::fs::read(rig.directory().join("running")).expect("readable");
    bytes.first().copied().unwrap_or_default()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn who_has_ended_is_not_blamed_for_a_death_while_the_next_waits_for_the_disk() {
    let rig = LaneRig::start(Settings { unsynced_bytes_max: 1, ..Settings::default() });
    block_on(rig.deploy("probe", "probe"));
    let hold = rig.disk.hold_appends();
    // One outcome may be in the round that is held, and one more waits for the next.
    let tickets: Vec<_> = (0..4)
        .map(|n| rig.submit(new_id(), "add", &json!({ "key": "a", "amount": n })).expect("a place"))
        .collect();
    hold.wait_for_append();
    wait_until("no command runs", || slot(&rig) == IDLE);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(slot(&rig), IDLE, "and none begins");
    drop(hold);
    block_on(async {
        for ticket in tickets {
            let Ticket::Flying { flight, .. } = ticket else { panic!("in flight") };
            assert!(matches!(flight.answered().await, Answer::Done(_)));
        }
    });
}

/// A module that is kept, and cannot be read: its file is a directory.
struct Unreadable {
    file: PathBuf,
    aside: PathBuf,
}

impl Unreadable {
    fn make(directory: &Path, hash: Hash) -> Self {
        let file = directory.join("modules").join(format!("{hash}.wasm"));
        let aside = directory.join("aside");
        std::fs::rename(&file, &aside).expect("renamed");
        std::fs::create_dir(&file).expect("created");
        Self { file, aside }
    }

    fn mend(self) {
        std::fs::remove_dir(&self.file).expect("removed");
        std::fs::rename(&self.aside, &self.file).expect("renamed");
    }
}

fn deployment(rig: &LaneRig) -> (Hash, Submission) {
    let hash = rig.lane.modules().keep(&guest("probe")).expect("kept");
    let id = new_id();
    let submission = Submission {
        id,
        windowed: false,
        fingerprint: Hash::of(id.as_bytes()),
        act: Act::Deploy(Deploy { module: name("probe"), hash }),
        admitted: None,
        keep: Some(rig.lane.modules().load(hash).expect("loaded")),
    };
    (hash, submission)
}

async fn works(rig: &LaneRig) {
    let receipt = rig.command("add", json!({ "key": "a", "amount": 1 })).await;
    assert_eq!(code(&receipt), "succeeded");
}

#[test]
fn a_module_that_cannot_be_read_for_a_moment_is_waited_for() {
    // Tried thirty times.
    let rig =
        LaneRig::start(Settings { reopen_after: Duration::from_millis(500), ..Settings::default() });
    let (hash, submission) = deployment(&rig);
    let unreadable = Unreadable::make(rig.directory(), hash);
    let Ticket::Flying { flight, .. } = rig.lane.submit(submission).expect("a place") else {
        panic!("in flight")
    };
    wait_until("it runs", || slot(&rig) == RUNNING);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(rig.lane.health(), Health::Running);
    unreadable.mend();
    block_on(async {
        let answer = tokio::time::timeout(PATIENCE, flight.answered()).await.expect("in time");
        let Answer::Done(receipt) = answer else { panic!("{answer:?}") };
        assert_eq!(code(receipt), "succeeded");
        works(&rig).await;
    });
}

#[test]
fn a_module_that_cannot_be_read_while_the_log_is_opened_again_is_waited_for() {
    let rig = LaneRig::start(Settings {
        reopen_after: Duration::from_millis(5),
        // The outcome is to be in the round of its entry.
        linger: PATIENCE,
        ..Settings::default()
    });
    let (hash, submission) = deployment(&rig);
    rig.disk.fail_append(1, Fault::AfterDurable);
    let hold = rig.disk.hold_appends();
    let Ticket::Flying { flight, .. } = rig.lane.submit(submission).expect("a place") else {
        panic!("in flight")
    };
    hold.wait_for_append();
    let unreadable = Unreadable::make(rig.directory(), hash);
    drop(hold);
    block_on(async {
        let answer = tokio::time::timeout(PATIENCE, flight.answered()).await.expect("in time");
        assert!(matches!(answer, Answer::Unknown(_)), "{answer:?}");
    });
    std::thread::sleep(Duration::from_millis(50));
    assert!(matches!(rig.lane.health(), Health::Recovering(_)), "{:?}", rig.lane.health());
    unreadable.mend();
    wait_until("it goes on", || rig.lane.health() == Health::Running);
    let receipt = rig.lane.receipt(flight.sequence).expect("readable").expect("durable");
    assert_eq!(code(&receipt), "succeeded", "it was in the round");
    block_on(works(&rig));
}

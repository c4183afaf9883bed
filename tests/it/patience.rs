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

/// A module that is kept, and cannot be read: its name leads to a directory.
struct Unreadable {
    file: PathBuf,
    aside: PathBuf,
}

impl Unreadable {
    fn make(directory: &Path, hash: Hash) -> Self {
        let file = directory.join("modules").join(format!("{hash}.wasm"));
        let aside = directory.join("aside");
        std::fs::rename(&file, &aside).expect("renamed");
        std::os::unix::fs::symlink(directory, &file).expect("linked");
        Self { file, aside }
    }

    fn mend(self) {
        // At once: a module that is not there is not waited for.
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
    let rig = LaneRig::start(Settings {
        reopen_after: Duration::from_millis(500),
        ..Settings::default()
    });
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

#[test]
fn i13_what_is_logged_and_not_executed_when_the_server_ends_is_told_so() {
    let rig = LaneRig::start(Settings::default());
    block_on(async {
        rig.deploy("probe", "probe").await;
        let slow = json!({ "iterations": 1_u64 << 40 });
        let add = json!({ "key": "a", "amount": 1 });
        let flights: Vec<_> = [("spin", slow), ("add", add)]
            .into_iter()
            .map(|(command, input)| rig.submit(new_id(), command, &input).expect("a place"))
            .map(|ticket| match ticket {
                Ticket::Flying { flight, .. } => flight,
                Ticket::Settled(_) => panic!("in flight"),
            })
            .collect();
        for flight in &flights {
            tokio::time::timeout(PATIENCE, flight.logged()).await.expect("in time");
        }
        let hold = rig.disk.hold_appends();
        let input = json!({ "key": "b", "amount": 1 });
        let Ticket::Flying { flight: first, .. } = rig.submit(new_id(), "add", &input).unwrap()
        else {
            panic!("in flight")
        };
        hold.wait_for_append();
        let Ticket::Flying { flight: second, .. } = rig.submit(new_id(), "add", &input).unwrap()
        else {
            panic!("in flight")
        };
        std::thread::scope(|scope| {
            scope.spawn(|| rig.lane.close(Duration::ZERO));
            wait_until("they are answered", || second.answer().is_some());
            drop(hold);
        });
        for flight in &flights {
            assert!(matches!(flight.answer(), Some(Answer::Logged)), "{flight:?}");
        }
        assert!(matches!(first.answer(), Some(Answer::Unknown(_))), "its round is on its way");
        assert!(matches!(second.answer(), Some(Answer::NotLogged(_))), "it is in no round");
    });
}

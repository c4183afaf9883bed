//! What is done beside the lane, and what becomes of one duty when another is slow or
//! broken.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery::clock::Clock;
use chancery::lane::Settings;
use chancery::snapshot::Snapshot;
use chancery::worker::{Duty, Next, Turn, Worker};
use chancery_tests::rig::{PATIENCE, name};
use chancery_tests::{LaneRig, block_on};

/// Does as it is told whenever it is attended to.
#[derive(Debug)]
struct Told {
    what: What,
    times: Arc<AtomicU32>,
}

#[derive(Debug)]
enum What {
    Counts,
    WaitsFor(Mutex<Receiver<()>>),
    Panics,
}

impl Duty for Told {
    fn name(&self) -> &'static str {
        match self.what {
            What::Counts => "counting",
            What::WaitsFor(_) => "waiting",
            What::Panics => "panicking",
        }
    }

    fn is_wanted(&self, _: &Snapshot) -> bool {
        true
    }

    fn attend(&mut self, _: &Turn<'_>) -> Next {
        self.times.fetch_add(1, Ordering::SeqCst);
        match &self.what {
            What::Counts => {}
            What::WaitsFor(leave) => drop(leave.lock().expect("held by nobody else").recv()),
            What::Panics => panic!("as it was told"),
        }
        Next::Idle
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_duty_that_is_slow_or_broken_holds_up_no_other() {
    let rig = LaneRig::start(Settings::default());
    let (leave, waits) = mpsc::channel();
    let told = [What::WaitsFor(Mutex::new(waits)), What::Panics, What::Counts];
    let mut times = Vec::new();
    let duties = told.map(|what| {
        times.push(Arc::new(AtomicU32::new(0)));
        let times = Arc::clone(times.last().expect("one was pushed"));
        Box::new(Told { what, times }) as Box<dyn Duty>
    });
    let worker = Worker::start(&name("main"), &rig.lane, &Clock::system(), duties.into());
    let seen = |duty: usize| times[duty].load(Ordering::SeqCst);
    until("all were attended to", || (0..3).all(|duty| seen(duty) == 1));
    until("it is told what broke", || worker.faults().len() == 1);
    assert!(worker.faults()[0].contains("ended the panicking"), "{:?}", worker.faults());
    // One waits, one is gone: the third is rung whenever something is published.
    block_on(async { rig.deploy("probe", "probe").await });
    until("it was attended to again", || seen(2) > 1);
    assert_eq!((seen(0), seen(1)), (1, 1));
    drop(leave);
    until("what waited goes on", || seen(0) > 1);
    worker.stop();
}

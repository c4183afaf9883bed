//! Commands go on while a checkpoint is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chancery::checkpoint::AtOnce;
use chancery_tests::{Rig, block_on, new_id, times};
use serde_json::json;

/// What commands waited.
#[derive(Debug, Clone, Copy)]
struct Latency {
    n: usize,
    p50: Duration,
    p99: Duration,
    max: Duration,
}

impl Latency {
    fn of(mut all: Vec<Duration>) -> Self {
        assert!(!all.is_empty(), "no command was answered");
        all.sort_unstable();
        let at = |percent: usize| all[(all.len() - 1) * percent / 100];
        Self { n: all.len(), p50: at(50), p99: at(99), max: at(100) }
    }
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let Self { n, p50, p99, max } = *self;
        write!(f, "{n} commands, p50 {:.2} p99 {:.2} max {:.2} ms", ms(p50), ms(p99), ms(max))
    }
}

/// So many clients, each with one command after the other, until told to stop.
async fn submit(rig: &Rig, clients: usize, go_on: &AtomicBool) -> Latency {
    let client = |number: usize| async move {
        let mut all = Vec::new();
        while go_on.load(Ordering::Relaxed) {
            let add = json!({ "key": number.to_string(), "amount": 1 });
            let began = Instant::now();
            rig.command_with(new_id(), "add", add).await;
            all.push(began.elapsed());
        }
        all
    };
    let mut running: Vec<_> = (0..clients).map(|number| Box::pin(client(number))).collect();
    let mut all = Vec::new();
    // One task polls them all: the lane is what is measured.
    let mut done: Vec<bool> = vec![false; clients];
    std::future::poll_fn(|context| {
        for (client, done) in running.iter_mut().zip(&mut done) {
            if !*done && let std::task::Poll::Ready(latencies) = client.as_mut().poll(context) {
                all.extend(latencies);
                *done = true;
            }
        }
        match done.iter().all(|done| *done) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    Latency::of(all)
}

fn for_a_while(rig: &Rig, clients: usize, time: Duration) -> Latency {
    let go_on = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(time);
            go_on.store(false, Ordering::Relaxed);
        });
        block_on(submit(rig, clients, &go_on))
    })
}

/// Gives how long the checkpoint took, too.
fn during_a_checkpoint(rig: &Rig, clients: usize) -> (Latency, Duration) {
    let go_on = AtomicBool::new(true);
    let app = Arc::clone(&rig.app);
    thread::scope(|scope| {
        let checkpoint = scope.spawn(|| {
            let began = Instant::now();
            app.keeper().checkpoint(&mut AtOnce).expect("it is written");
            go_on.store(false, Ordering::Relaxed);
            began.elapsed()
        });
        let latency = block_on(submit(rig, clients, &go_on));
        (latency, checkpoint.join().expect("a checkpoint"))
    })
}

fn fill(rig: &Rig, rows: usize, round: usize) {
    block_on(async {
        for n in 0..rows.div_ceil(5_000) {
            let bytes = 90 + round;
            let fill = json!({ "prefix": format!("{n:04}-"), "count": 5_000, "bytes": bytes });
            rig.succeed("fill", fill).await;
        }
    });
}

#[test]
fn the_lane_goes_on_while_a_checkpoint_is_written() {
    let rows = times("CHANCERY_ROWS", 300_000);
    let rig = Rig::with(|settings| settings.tended = false);
    block_on(rig.deploy("probe", "probe"));
    for (round, clients) in [1, 64].into_iter().enumerate() {
        fill(&rig, rows, round);
        let without = for_a_while(&rig, clients, Duration::from_secs(1));
        // All rows are new: all of it is written.
        let (with, took) = during_a_checkpoint(&rig, clients);
        let ratio =
            |f: fn(&Latency) -> Duration| f(&with).as_secs_f64() / f(&without).as_secs_f64();
        println!("without: {without}");
        println!("with:    {with}");
        println!(
            "TORTURE stall: {clients} clients, a checkpoint of {rows} rows in {:.0} ms; without: \
             {without}; with: {with}; ratios p50 {:.1} p99 {:.1} max {:.1}",
            took.as_secs_f64() * 1e3,
            ratio(|latency| latency.p50),
            ratio(|latency| latency.p99),
            ratio(|latency| latency.max),
        );
        // A command that waited for the checkpoint would have waited this long. Two
        // busy processors and one disk are slower, but not like that.
        assert!(with.n > 5 * clients, "{with}");
        let noise = Duration::from_millis(50);
        assert!(with.p99 < noise.max(took / 4), "{with}, of {took:?}");
        assert!(with.max < noise.max(took / 2), "{with}, of {took:?}");
    }
}

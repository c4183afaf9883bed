//! Many live queries while commands run: each sees its last state, and commands that are
//! none of their business wake none.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_tests::{Server, Stream, seed, times};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::{result, runs};

const WRITERS: usize = 4;

/// When each value of each key came, to whom.
type Times = Mutex<HashMap<(usize, u64), Instant>>;

fn key(n: usize) -> String {
    format!("k/{n:05}")
}

/// Reads one key until its last value has come, and gives the stream back, which goes on.
fn read(mut stream: Stream, n: usize, last: u64, arrived: &Times) -> Stream {
    let mut value = 0;
    while value < last {
        value = result(&mut stream).as_u64().expect("a number");
        arrived.lock().expect("times").insert((n, value), Instant::now());
    }
    stream
}

#[test]
fn many_live_queries_see_their_last_states_and_nothing_else_wakes_them() {
    let queries = times("CHANCERY_LIVE", 100);
    let commands = times("CHANCERY_LIVE_COMMANDS", 300);
    let rate = times("CHANCERY_LIVE_RATE", 100);
    let mut random = StdRng::seed_from_u64(seed());
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    // What each command writes; the last to each key is its last state.
    let keys: Vec<usize> = (0..commands).map(|_| random.random_range(0..queries)).collect();
    let mut last = HashMap::new();
    let plan: Vec<(usize, u64)> = keys
        .into_iter()
        .map(|n| {
            let value = last.entry(n).or_insert(0);
            *value += 1;
            (n, *value)
        })
        .collect();
    let streams: Vec<Stream> = (0..queries)
        .map(|n| {
            let mut stream = Stream::query(&server, "get", &json!({ "key": key(n) }), "");
            assert_eq!(result(&mut stream), json!(null));
            stream
        })
        .collect();
    let opened = runs(&app);
    assert_eq!(opened, queries as u64);
    let (arrived, answered) = (Times::default(), Times::default());
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    let streams: Vec<Stream> = std::thread::scope(|scope| {
        let readers = streams.into_iter().enumerate().map(|(n, stream)| {
            let (last, arrived) = (last.get(&n).copied().unwrap_or(0), &arrived);
            let reader = std::thread::Builder::new().stack_size(256 << 10);
            let body = move || read(stream, n, last, arrived);
            reader.spawn_scoped(scope, body).expect("a thread")
        });
        let readers: Vec<_> = readers.collect();
        // A writer has all commands of its keys, so that they are written in order.
        for writer in 0..WRITERS {
            let (app, plan, answered, next) = (server.app(), &plan, &answered, &next);
            scope.spawn(move || {
                for &(n, value) in plan.iter().filter(|(n, _)| n % WRITERS == writer) {
                    let due = next.fetch_add(1, Ordering::Relaxed) as f64 / rate as f64;
                    let due = Duration::from_secs_f64(due);
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    super::put(&app, &key(n), &json!(value));
                    answered.lock().expect("times").insert((n, value), Instant::now());
                }
            });
        }
        readers.into_iter().map(|reader| reader.join().expect("it has read")).collect()
    });
    let took = begun.elapsed();
    let (arrived, answered) = (arrived.into_inner().unwrap(), answered.into_inner().unwrap());
    for (n, value) in &last {
        assert!(arrived.contains_key(&(*n, *value)), "query {n} has not seen {value}");
    }
    let late = |times: &mut dyn Iterator<Item = (&(usize, u64), &Instant)>| {
        let late = times.map(|(of, at)| at.saturating_duration_since(answered[of]));
        let mut late: Vec<Duration> = late.collect();
        late.sort();
        late
    };
    let all = late(&mut arrived.iter());
    let of_last = |(of, _): &(&(usize, u64), &Instant)| last[&of.0] == of.1;
    let lasts = late(&mut arrived.iter().filter(of_last));
    for (what, late) in [("all that came", &all), ("last states", &lasts)] {
        let at = |percent: usize| late[(late.len() - 1) * percent / 100];
        println!(
            "{what}: {} after their receipts: p50 {:?}, p99 {:?}, max {:?}",
            late.len(),
            at(50),
            at(99),
            at(100)
        );
    }
    let woken = runs(&app) - opened;
    println!("{queries} live queries, {commands} commands in {took:?}, {woken} runs");
    assert!(woken as usize <= commands, "each command wakes one at most");
    // Commands that are none of their business.
    for n in 0..50 {
        super::put(&app, &format!("other/{n}"), &json!(n));
    }
    let mut witness = Stream::query(&server, "get", &json!({ "key": "other/49" }), "");
    assert_eq!(result(&mut witness), 49);
    super::put(&app, "other/49", &json!("seen"));
    assert_eq!(result(&mut witness), "seen");
    assert_eq!(runs(&app) - opened - woken, 2, "of the witness");
    drop(streams);
}

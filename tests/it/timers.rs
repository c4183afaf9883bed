//! Timers, in this process: each fires once, in its order, or was cancelled.

mod crashes;
mod served;

use std::sync::Arc;
use std::time::Duration;

use chancery::checkpoint::AtOnce;
use chancery::clock::{Clock, Manual};
use chancery::engine::{At, Error};
use chancery::receipts::Receipt;
use chancery::record::Act;
use chancery::transaction::timers::Timer;
use chancery_tests::rig::{PATIENCE, Rig, code, outcome, result};
use chancery_tests::{Uuid, block_on, id_at, new_id};
use serde_json::{Value as Json, json};

const WALL_MS: u64 = 1_800_000_000_000;

/// An engine whose timers fire when the test pumps.
struct Bench {
    rig: Rig,
    clock: Clock,
    hands: Arc<Manual>,
}

impl Bench {
    async fn start() -> Self {
        let (clock, hands) = Clock::manual(WALL_MS);
        let rig = Rig::with_clock(clock.clone(), |settings| {
            settings.tended = false;
            settings.log.segment_bytes = 64 << 10;
            settings.lane.window = Duration::from_secs(3600);
            settings.keeper.receipts_keep = Duration::from_secs(2 * 3600);
            settings.keeper.checkpoint_bytes = 16 << 10;
        });
        rig.deploy("probe", "probe").await;
        Self { rig, clock, hands }
    }

    fn restart(self) -> Self {
        Self { rig: self.rig.restart(), ..self }
    }

    async fn command(&self, name: &str, input: Json) -> Receipt {
        self.rig.command_with(id_at(self.clock.wall_ms()), name, input).await
    }

    async fn succeed(&self, name: &str, input: Json) -> Json {
        result(&self.command(name, input).await)
    }

    /// Has a command submitted so many milliseconds after this one.
    async fn schedule(&self, in_ms: i64, command: &str, input: Json) -> Uuid {
        let input = json!({ "in_ms": in_ms, "command": command, "input": input });
        uuid_of(&self.succeed("schedule", input).await)
    }

    async fn append(&self, in_ms: i64, text: &str) -> Uuid {
        self.schedule(in_ms, "append", json!({ "key": "log", "text": text })).await
    }

    async fn log(&self) -> Json {
        self.rig.query("get", json!({ "key": "log" })).await
    }

    async fn waiting(&self) -> Vec<Timer> {
        self.rig.app.timers(At::default(), None, 10_000, 1 << 30).await.expect("a page").timers
    }

    fn advance(&self, ms: u64) {
        self.hands.advance(Duration::from_millis(ms));
    }

    fn pump(&self) -> Option<Duration> {
        self.rig.app.pump().pump(self.clock.wall_ms())
    }

    /// The receipt of a timer that has fired.
    async fn fired(&self, timer: Uuid) -> Receipt {
        let submitted = self.rig.app.find(timer).expect("it was submitted");
        self.rig.done(&submitted).await
    }

    /// Pumps until nothing that is due by now waits any more.
    async fn drain(&self) {
        let now_ms = self.clock.wall_ms().max(self.rig.app.snapshots().current().state.time_ms());
        let due = async {
            while self.waiting().await.iter().any(|timer| timer.due_ms <= now_ms) {
                self.pump();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, due).await.expect("they fire");
    }
}

fn uuid_of(json: &Json) -> Uuid {
    json.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{json}"))
}

#[test]
fn i5_a_timer_fires_once_when_it_is_due_and_not_before() {
    block_on(async {
        let bench = Bench::start().await;
        let timer = bench.append(5_000, "a").await;
        assert_eq!(bench.pump(), Some(Duration::from_secs(5)));
        bench.advance(4_999);
        assert_eq!(bench.pump(), Some(Duration::from_millis(1)));
        assert_eq!(bench.log().await, json!(null));
        bench.advance(1);
        bench.drain().await;
        for _ in 0..3 {
            assert_eq!(bench.pump(), None);
        }
        assert_eq!(bench.log().await, json!("a"));
        let receipt = bench.fired(timer).await;
        let Act::Command(command) = &receipt.entry.act else { panic!("{receipt:?}") };
        assert_eq!(command.scheduled_for_ms, Some(WALL_MS + 5_000));
        assert_eq!(receipt.entry.time_ms, WALL_MS + 5_000);
    });
}

#[test]
fn the_command_knows_what_led_to_it() {
    block_on(async {
        let bench = Bench::start().await;
        let id = id_at(WALL_MS);
        let input = json!({ "in_ms": 0, "command": "echo", "input": { "a": 1 } });
        let mut request = bench.rig.request(id, "schedule", &input);
        request.correlation_id = Some("order-42".into());
        let scheduled = bench.rig.done(&bench.rig.app.submit(request).expect("a place")).await;
        bench.drain().await;
        let timer = uuid_of(&result(&scheduled));
        let told = result(&bench.fired(timer).await);
        assert_eq!(told["id"], json!(timer.to_string()));
        assert_eq!(told["input"], json!({ "a": 1 }));
        assert_eq!(told["scheduled_for_ms"], json!(WALL_MS));
        assert_eq!(told["correlation_id"], json!("order-42"));
        assert_eq!(told["causation_id"], json!(id.to_string()));
        assert_eq!(told["metadata"], json!("{\"depth\":1}"));
    });
}

#[test]
fn a_depth_that_the_server_did_not_write_counts_nowhere() {
    block_on(async {
        let bench = Bench::start().await;
        let input = json!({ "type": "thing.done", "data": 1 });
        let mut request = bench.rig.request(id_at(WALL_MS), "emit", &input);
        request.metadata = r#"{"depth":63}"#.into();
        let emitted = bench.rig.done(&bench.rig.app.submit(request).expect("a place")).await;
        let position = outcome(&emitted).events.first().expect("an event").position;
        let event = bench.rig.app.lane().events().event(position).expect("readable");
        assert_eq!(event.expect("there").depth, 0);
        let input = json!({ "in_ms": 0, "command": "echo", "input": {} });
        let mut request = bench.rig.request(id_at(WALL_MS), "schedule", &input);
        request.metadata = r#"{"depth":63}"#.into();
        let scheduled = bench.rig.done(&bench.rig.app.submit(request).expect("a place")).await;
        bench.drain().await;
        let told = result(&bench.fired(uuid_of(&result(&scheduled))).await);
        assert_eq!(told["metadata"], json!("{\"depth\":1}"));
    });
}

#[test]
fn timers_fire_in_the_order_of_their_times() {
    block_on(async {
        let bench = Bench::start().await;
        for (in_ms, text) in
            [(300, "d"), (100, "b"), (200, "c"), (300, "e"), (-50, "a"), (9_999, "z")]
        {
            bench.append(in_ms, text).await;
        }
        let mut waiting = bench.waiting().await;
        waiting.sort_by_key(|timer| timer.due_ms);
        assert_eq!(waiting, bench.waiting().await, "they are listed in that order");
        bench.advance(300);
        bench.drain().await;
        assert_eq!(bench.log().await, json!("abcde"));
        bench.advance(9_999);
        bench.drain().await;
        assert_eq!(bench.log().await, json!("abcdez"));
    });
}

#[test]
fn more_than_may_be_in_flight_fire_in_order_too() {
    block_on(async {
        let bench = Bench::start().await;
        let mut expected = Vec::new();
        for n in 0..600_u64 {
            let timer =
                bench.schedule(i64::try_from(n % 7).expect("small"), "echo", json!(n)).await;
            expected.push((n % 7, n, timer));
        }
        expected.sort_unstable();
        bench.advance(10);
        bench.drain().await;
        let mut sequences = Vec::new();
        for (.., timer) in expected {
            sequences.push(bench.fired(timer).await.entry.sequence);
        }
        assert!(sequences.is_sorted(), "{sequences:?}");
    });
}

#[test]
fn pumps_at_the_same_time_submit_each_timer_once() {
    block_on(async {
        let bench = Bench::start().await;
        for _ in 0..200 {
            bench.schedule(0, "add", json!({ "key": "a", "amount": 1 })).await;
        }
        let before = bench.rig.sequence();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| assert!(bench.pump() <= Some(PATIENCE))));
            }
        });
        bench.drain().await;
        assert_eq!(bench.rig.query("sum", json!({})).await, json!(200));
        assert_eq!(bench.rig.sequence(), before + 200, "nothing was submitted twice");
    });
}

#[test]
fn what_is_cancelled_does_not_fire_and_what_has_fired_is_not_cancelled() {
    block_on(async {
        let bench = Bench::start().await;
        let (kept, gone) = (bench.append(10, "k").await, bench.append(10, "g").await);
        let cancel = |id: Uuid| bench.succeed("cancel-timer", json!({ "id": id.to_string() }));
        assert_eq!(cancel(gone).await, json!(true));
        assert_eq!(cancel(gone).await, json!(false));
        bench.advance(10);
        bench.drain().await;
        assert_eq!(bench.log().await, json!("k"));
        assert_eq!(cancel(kept).await, json!(false), "it has fired");
        assert_eq!(bench.succeed("cancel-timer", json!({ "id": "no id" })).await, json!(false));
        for id in [kept, gone, new_id()] {
            let refused = bench.rig.app.cancel_timer(id).await.unwrap_err();
            assert!(matches!(refused, Error::UnknownTimer { .. }), "{refused}");
        }
        let refused = bench.rig.app.find(gone).unwrap_err();
        assert!(matches!(refused, Error::UnknownReceipt { .. }), "{refused}");
    });
}

#[test]
fn a_client_takes_a_timer_back() {
    block_on(async {
        let bench = Bench::start().await;
        let timer = bench.append(10, "a").await;
        let receipt = bench.rig.app.cancel_timer(timer).await.expect("a receipt");
        assert_eq!(result(&receipt), json!({ "cancelled": timer.to_string() }));
        bench.advance(10);
        assert_eq!(bench.pump(), None);
        assert!(bench.waiting().await.is_empty());
    });
}

/// The sequencer decides: what it takes first is executed first.
#[test]
fn a_cancellation_that_comes_before_its_timers_command_is_exact() {
    block_on(async {
        let bench = Bench::start().await;
        let timer = bench.append(0, "a").await;
        // Both are sequenced while this is executed.
        let spin = bench.rig.request(id_at(WALL_MS), "spin", &json!({ "iterations": 300_000_000 }));
        let spinning = bench.rig.app.submit(spin).expect("a place");
        let cancel = json!({ "id": timer.to_string() });
        let cancel = bench.rig.request(id_at(WALL_MS), "cancel-timer", &cancel);
        let cancelling = bench.rig.app.submit(cancel).expect("a place");
        bench.pump();
        bench.rig.done(&spinning).await;
        assert_eq!(result(&bench.rig.done(&cancelling).await), json!(true));
        let receipt = bench.fired(timer).await;
        assert_eq!(code(&receipt), "timer-cancelled");
        assert_eq!(bench.log().await, json!(null));
    });
}

#[test]
fn i5_a_command_that_rejects_schedules_nothing() {
    block_on(async {
        let bench = Bench::start().await;
        let echo = json!({ "in_ms": 5, "command": "echo", "input": {}, "reject": true });
        assert_eq!(code(&bench.command("schedule", echo).await), "changed-its-mind");
        assert!(bench.waiting().await.is_empty());
    });
}

#[test]
fn a_handler_that_refuses_or_fails_has_fired_all_the_same() {
    block_on(async {
        let bench = Bench::start().await;
        let rejects = json!({ "code": "no-thanks", "message": "no", "event": "wake.refused" });
        let refused = bench.schedule(0, "reject", rejects).await;
        let unfit = bench.schedule(0, "add", json!({ "key": 7 })).await;
        let unknown = bench.schedule(0, "no-such-command", json!({})).await;
        bench.drain().await;
        assert!(bench.waiting().await.is_empty());
        let receipt = bench.fired(refused).await;
        assert_eq!(code(&receipt), "no-thanks");
        assert_eq!(outcome(&receipt).events.len(), 1);
        assert_eq!(code(&bench.fired(unfit).await), "invalid-input");
        assert_eq!(code(&bench.fired(unknown).await), "unknown-command");
        assert_eq!(bench.pump(), None);
    });
}

#[test]
fn a_timer_whose_module_is_gone_says_so() {
    block_on(async {
        let bench = Bench::start().await;
        let timer = bench.append(10, "a").await;
        bench.rig.app.remove("probe").await.expect("removed");
        bench.advance(10);
        bench.drain().await;
        let receipt = bench.fired(timer).await;
        assert_eq!(code(&receipt), "unknown-command");
        assert!(format!("{:?}", outcome(&receipt).verdict).contains("which a timer was to submit"));
    });
}

#[test]
fn what_was_missed_fires_at_once_after_a_restart() {
    block_on(async {
        let mut bench = Bench::start().await;
        for (in_ms, text) in [(1_000, "a"), (2_000, "b"), (500_000, "c")] {
            bench.append(in_ms, text).await;
        }
        bench.advance(100_000);
        bench = bench.restart();
        assert_eq!(bench.waiting().await.len(), 3);
        bench.drain().await;
        assert_eq!(bench.log().await, json!("ab"));
        bench = bench.restart();
        assert_eq!(bench.log().await, json!("ab"));
        bench.advance(400_000);
        bench.drain().await;
        assert_eq!(bench.log().await, json!("abc"));
    });
}

#[test]
fn a_clock_that_is_set_back_fires_nothing_twice_and_one_that_is_ahead_what_is_due() {
    block_on(async {
        let bench = Bench::start().await;
        bench.append(1_000, "a").await;
        bench.append(60_000, "b").await;
        bench.append(600_000, "c").await;
        bench.advance(1_000);
        bench.drain().await;
        bench.hands.set_wall(WALL_MS - 3_600_000);
        bench.drain().await;
        assert_eq!(bench.log().await, json!("a"));
        // What follows at once does so by any clock.
        bench.schedule(0, "append", json!({ "key": "log", "text": "now" })).await;
        bench.drain().await;
        assert_eq!(bench.log().await, json!("anow"));
        bench.hands.set_wall(WALL_MS + 60_000);
        bench.drain().await;
        assert_eq!(bench.log().await, json!("anowb"));
    });
}

#[test]
fn a_chain_that_feeds_itself_ends_and_a_clock_that_ticks_does_not() {
    block_on(async {
        let bench = Bench::start().await;
        let first = bench.succeed("chain", json!({ "in_ms": 0 })).await;
        assert_eq!(first, json!(1));
        let timer = bench.waiting().await.first().expect("the second link").id;
        bench.drain().await;
        // The first one, and 63 that followed; the next may follow no more.
        assert_eq!(bench.rig.query("sum", json!({})).await, json!(64));
        // The state shows what happened before the receipt can be read.
        let last = async || {
            let page = bench.rig.app.receipts(None, None, 1, 1 << 20).expect("a page");
            page.receipts.into_iter().next().expect("a receipt")
        };
        let ended = async {
            while code(&last().await) != "chain-too-deep" {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
        assert!(bench.waiting().await.is_empty());
        assert_eq!(code(&bench.fired(timer).await), "succeeded");

        bench.succeed("chain", json!({ "in_ms": 1_000 })).await;
        for _ in 0..100 {
            bench.advance(1_000);
            bench.drain().await;
        }
        assert_eq!(bench.rig.query("sum", json!({})).await, json!(165));
    });
}

/// It is in the state, and needs nothing of the log.
#[test]
fn a_timer_far_ahead_survives_trimming() {
    block_on(async {
        let hour = 3_600_000;
        let mut bench = Bench::start().await;
        let timer = bench.append(30 * 24 * hour, "a").await;
        let scheduled_by = bench.rig.sequence();
        let first_left = |bench: &Bench| {
            let upkeep = bench.rig.app.lane().upkeep().expect("open");
            upkeep.segments().first().map_or(0, |segment| segment.first_sequence.0)
        };
        for round in 0..40 {
            bench.advance(900_000);
            let fill = json!({ "prefix": "x", "count": 40, "bytes": 1000 });
            bench.succeed("fill", fill).await;
            bench.rig.app.keeper().tend(&mut AtOnce).expect("upkeep");
            if round > 12 && first_left(&bench) > scheduled_by {
                break;
            }
        }
        assert!(first_left(&bench) > scheduled_by, "the log still has what scheduled it");
        bench = bench.restart();
        assert_eq!(bench.waiting().await.len(), 1);
        bench.advance(u64::try_from(30 * 24 * hour).expect("positive"));
        bench.drain().await;
        assert_eq!(bench.log().await, json!("a"));
        assert_eq!(code(&bench.fired(timer).await), "succeeded");
        bench = bench.restart();
        assert_eq!(bench.pump(), None);
        assert_eq!(bench.log().await, json!("a"));
    });
}

//! One app's lane, in this process: order, receipts, duplicates, bounds.

use std::time::Duration;

use chancery::clock::Clock;
use chancery::engine::{Error, Submitted};
use chancery::lane::{Refusal, Settings, Ticket};
use chancery::record::{Keys, Unchanged};
use chancery::value::{CommandId, Key, Sequence};
use chancery_tests::rig::{PATIENCE, code, name, outcome, result};
use chancery_tests::{LaneRig, Rig, Uuid, block_on, new_id};
use serde_json::json;
use uuid::{NoContext, Timestamp};

/// Long enough that a test can do something meanwhile.
const SLOW_ITERATIONS: u64 = 300_000_000;

#[test]
fn i7_a_query_after_a_receipt_sees_its_effects() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        for n in 1..=100 {
            assert_eq!(rig.succeed("add", json!({ "key": "a", "amount": 1 })).await, json!(n));
            assert_eq!(rig.query("sum", json!({})).await, json!(n));
        }
    });
}

#[test]
fn i2_the_same_id_gets_the_same_receipt_and_runs_once() {
    block_on(async {
        let mut rig = Rig::start();
        rig.deploy("probe", "probe").await;
        let id = new_id();
        let first = rig.command_with(id, "add", json!({ "key": "a", "amount": 1 })).await;
        for _ in 0..3 {
            let again = rig.command_with(id, "add", json!({ "amount": 1, "key": "a" })).await;
            assert_eq!(outcome(&again), outcome(&first));
            assert_eq!(rig.query("sum", json!({})).await, json!(1));
            rig = rig.restart();
        }
    });
}

#[test]
fn i3_the_same_id_with_another_body_is_refused() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        let id = new_id();
        let first = rig.command_with(id, "add", json!({ "key": "a", "amount": 1 })).await;
        for (command, input) in [
            ("add", json!({ "key": "a", "amount": 2 })),
            ("echo", json!({ "key": "a", "amount": 1 })),
        ] {
            let refused = rig.app.submit(rig.request(id, command, &input)).unwrap_err();
            let sequence = first.entry.sequence;
            let Error::Refused(Refusal::Reused { sequence: found }) = refused else {
                panic!("{refused}")
            };
            assert_eq!(found, sequence);
        }
        assert_eq!(rig.query("sum", json!({})).await, json!(1));
    });
}

#[test]
fn i3_an_id_outside_the_window_is_refused_and_never_run() {
    block_on(async {
        let now_ms = 1_800_000_000_000;
        let (clock, hands) = Clock::manual(now_ms);
        let rig = Rig::at(clock);
        rig.deploy("probe", "probe").await;
        let add = |id| rig.app.submit(rig.request(id, "add", &json!({ "key": "a", "amount": 1 })));
        let hour = Duration::from_secs(3600);
        let before = id_at(now_ms - ms(25 * hour));
        let Error::Refused(Refusal::Expired { floor_ms, .. }) = add(before).unwrap_err() else {
            panic!("it was taken")
        };
        assert_eq!(floor_ms, now_ms - ms(24 * hour));
        let ahead = id_at(now_ms + ms(Duration::from_secs(301)));
        let refused = add(ahead).unwrap_err();
        assert!(matches!(refused, Error::Refused(Refusal::Ahead { .. })), "{refused}");

        let remembered = id_at(now_ms - ms(hour));
        rig.done(&add(remembered).unwrap()).await;
        hands.advance(hour);
        rig.done(&add(remembered).unwrap()).await;
        // Now it is out of the window. As long as it is known it gets its receipt;
        // one of the same time that was never seen is refused.
        hands.advance(48 * hour);
        let today = id_at(now_ms + ms(49 * hour));
        rig.command_with(today, "add", json!({ "key": "b", "amount": 10 })).await;
        assert!(matches!(add(remembered).unwrap(), Submitted::Settled(_)));
        let late = add(id_at(now_ms - ms(hour))).unwrap_err();
        assert!(matches!(late, Error::Refused(Refusal::Expired { .. })), "{late}");
        assert_eq!(rig.query("sum", json!({})).await, json!(11));
    });
}

#[test]
fn i3_only_uuids_with_a_time_are_ids() {
    let time = Timestamp::from_unix(NoContext, 1_800_000_000, 5_000_000);
    let bytes = [1, 2, 3, 4, 5, 6];
    for (id, time_ms) in [
        (Uuid::new_v7(time), 1_800_000_000_005),
        (Uuid::new_v6(time, &bytes), 1_800_000_000_005),
        (Uuid::new_v1(time, &bytes), 1_800_000_000_005),
    ] {
        assert_eq!(CommandId::new(id).unwrap().time_ms(), time_ms, "{id}");
    }
    let v = |version: &str| format!("01939f5e-7c1a-{version}c1a-8c1a-0123456789ab");
    for (text, word) in [
        (v("2"), "version 2"),
        (v("3"), "version 3"),
        (v("4"), "version 4"),
        (v("5"), "version 5"),
        (v("8"), "version 8"),
        ("00000000-0000-0000-0000-000000000000".to_owned(), "variant"),
        ("nonsense".to_owned(), "not a UUID"),
    ] {
        let refused = text.parse::<CommandId>().unwrap_err().to_string();
        assert!(refused.contains(word), "{text}: {refused}");
    }
}

#[test]
fn i4_sequences_have_no_gap_and_entries_run_in_order() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        let mut submitted = Vec::new();
        for n in 0..500 {
            let input = json!({ "key": "log", "text": format!("{n},") });
            submitted.push(rig.app.submit(rig.request(new_id(), "append", &input)).unwrap());
        }
        let mut expected = String::new();
        for (n, submitted) in submitted.iter().enumerate() {
            let receipt = rig.done(submitted).await;
            expected += &format!("{n},");
            assert_eq!(receipt.entry.sequence, Sequence(n as u64 + 2));
            assert_eq!(result(&receipt), json!(expected));
        }
    });
}

#[test]
fn i5_what_is_rejected_or_failed_keeps_nothing() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("hostile", "hostile").await;
        let before = rig.rows("t").await.unwrap();
        let failed = rig.command("write-then-trap", json!({})).await;
        assert_eq!(code(&failed), "trapped");
        assert!(outcome(&failed).changes.is_empty());
        let after = rig.rows("t").await.unwrap();
        assert_eq!(before, after);
        assert_eq!(code(&rig.command("ok", json!({})).await), "succeeded");
    });
}

#[test]
fn i6_nothing_is_visible_before_it_is_durable() {
    block_on(async {
        let rig = LaneRig::start(Settings::default());
        rig.deploy("probe", "probe").await;
        let hold = rig.disk.hold_appends();
        let before = rig.published();
        let ticket = rig.submit(new_id(), "add", &json!({ "key": "a", "amount": 1 })).unwrap();
        hold.wait_for_append();
        let Ticket::Flying { flight, replayed: false } = ticket else { panic!("{ticket:?}") };
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(rig.published(), before);
        assert!(!flight.is_logged() && flight.answer().is_none());
        drop(hold);
        flight.answered().await;
        assert_eq!(rig.published(), before.next());
    });
}

#[test]
fn i2_duplicates_of_a_command_in_flight_join_it() {
    block_on(async {
        let rig = LaneRig::start(Settings::default());
        rig.deploy("probe", "probe").await;
        let hold = rig.disk.hold_appends();
        let (id, input) = (new_id(), json!({ "key": "a", "amount": 1 }));
        let mut flights = Vec::new();
        for n in 0..10 {
            match rig.submit(id, "add", &input).unwrap() {
                Ticket::Flying { flight, replayed } => {
                    assert_eq!(replayed, n > 0);
                    flights.push(flight);
                }
                Ticket::Settled(sequence) => panic!("answered before it is durable: {sequence}"),
            }
        }
        drop(hold);
        for flight in &flights {
            flight.answered().await;
            assert_eq!(flight.sequence, flights[0].sequence);
        }
        assert_eq!(result(&rig.command("add", json!({ "key": "a", "amount": 0 })).await), json!(1));
    });
}

#[test]
fn i1_a_command_behind_a_slow_handler_is_durable_before_its_turn() {
    block_on(async {
        let rig = LaneRig::start(Settings::default());
        rig.deploy("probe", "probe").await;
        let slow = json!({ "iterations": SLOW_ITERATIONS });
        let slow = flight(rig.submit(new_id(), "spin", &slow).unwrap());
        let next = json!({ "key": "a", "amount": 1 });
        let next = flight(rig.submit(new_id(), "add", &next).unwrap());
        tokio::time::timeout(PATIENCE, next.logged()).await.unwrap();
        assert!(next.answer().is_none() && slow.answer().is_none(), "the handler was too quick");
        let receipt = rig.lane.receipt(next.sequence).unwrap().unwrap();
        assert!(receipt.outcome.is_none());
        next.answered().await;
        assert!(rig.lane.receipt(next.sequence).unwrap().unwrap().outcome.is_some());
    });
}

#[test]
fn i9_commands_without_an_outcome_are_executed_at_the_next_start() {
    block_on(async {
        let rig = LaneRig::start(Settings::default());
        rig.deploy("probe", "probe").await;
        rig.command("add", json!({ "key": "a", "amount": 1 })).await;
        let slow = json!({ "iterations": SLOW_ITERATIONS });
        drop(rig.submit(new_id(), "spin", &slow).unwrap());
        let (id, input) = (new_id(), json!({ "key": "a", "amount": 10 }));
        let next = flight(rig.submit(id, "add", &input).unwrap());
        tokio::time::timeout(PATIENCE, next.logged()).await.unwrap();
        assert!(next.answer().is_none());
        let rig = rig.crash();
        let sum = rig.command("add", json!({ "key": "a", "amount": 100 })).await;
        assert_eq!(result(&sum), json!(111));
        let Ticket::Settled(sequence) = rig.submit(id, "add", &input).unwrap() else {
            panic!("it is new")
        };
        assert_eq!(sequence, next.sequence);
    });
}

#[test]
fn i12_a_full_inbox_refuses_before_anything_is_logged() {
    block_on(async {
        let settings = Settings { inbox_entries_max: 8, ..Settings::default() };
        let rig = LaneRig::start(settings);
        rig.deploy("probe", "probe").await;
        let hold = rig.disk.hold_appends();
        let input = json!({ "key": "a", "amount": 1 });
        let flights: Vec<_> =
            (0..8).map(|_| flight(rig.submit(new_id(), "add", &input).unwrap())).collect();
        let id = new_id();
        let refused = rig.submit(id, "add", &input).unwrap_err();
        assert!(matches!(refused, Refusal::Full { waiting: 8, .. }), "{refused}");
        assert!(rig.lane.find(id).unwrap().is_none());
        drop(hold);
        for flight in flights {
            flight.answered().await;
        }
        assert_eq!(result(&rig.command("add", input).await), json!(9));
    });
}

#[test]
fn a_command_that_counts_on_something_is_stale_when_it_changed() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        for key in ["a", "b", "c/1"] {
            rig.succeed("put", json!({ "key": key, "value": 0 })).await;
        }
        let basis = Sequence(rig.sequence());
        let buy = async |unchanged: Keys| {
            let mut request = rig.request(new_id(), "put", &json!({ "key": "z", "value": 1 }));
            request.basis = Some(basis);
            request.unchanged = vec![Unchanged { table: name("items"), keys: unchanged }];
            code(&rig.done(&rig.app.submit(request).unwrap()).await)
        };
        let key = |key| Keys::One(Key::new(key).unwrap());
        assert_eq!(buy(key("a")).await, "succeeded");
        rig.succeed("put", json!({ "key": "a", "value": 1 })).await;
        rig.succeed("put", json!({ "key": "c/2", "value": 1 })).await;
        assert_eq!(buy(key("a")).await, "stale");
        assert_eq!(buy(key("b")).await, "succeeded");
        assert_eq!(buy(Keys::Prefix("c/".into())).await, "stale");
        rig.succeed("delete", json!({ "key": "b" })).await;
        assert_eq!(buy(key("b")).await, "stale");
        let mut beyond = rig.request(new_id(), "put", &json!({ "key": "z", "value": 1 }));
        beyond.basis = Some(Sequence(1_000));
        let refused = rig.app.submit(beyond).unwrap_err();
        assert!(matches!(refused, Error::Refused(Refusal::BasisAhead { .. })), "{refused}");
    });
}

#[test]
fn instances_may_be_replaced_at_any_time() {
    let script = |share: f64| {
        block_on(async move {
            let rig = Rig::with(|settings| settings.lane.replace_instance_share = share);
            rig.deploy("probe", "probe").await;
            let mut calls = 0;
            for n in 0..120 {
                rig.succeed("add", json!({ "key": format!("k{}", n % 7), "amount": n })).await;
                rig.succeed("append", json!({ "key": "log", "text": format!("{n},") })).await;
                calls = rig.succeed("calls", json!({})).await.as_u64().unwrap();
            }
            let items = rig.query("list", json!({ "prefix": "" })).await;
            (calls, rig.query("sum", json!({})).await, items)
        })
    };
    let (calls, sum, items) = script(0.0);
    assert_eq!(calls, 120, "one live instance");
    let (calls_of_many, sum_of_many, items_of_many) = script(0.5);
    assert!(calls_of_many < 120, "it was replaced");
    assert_eq!((sum, items), (sum_of_many, items_of_many));
}

#[test]
fn i9_a_restart_yields_the_state_that_was_published() {
    block_on(async {
        let mut rig = Rig::with(|settings| settings.log.segment_bytes = 20_000);
        rig.deploy("probe", "probe").await;
        for n in 0..200 {
            let key = format!("{}", n % 50);
            rig.succeed("put", json!({ "key": key, "value": "x".repeat(n) })).await;
            if n % 3 == 0 {
                rig.succeed("delete", json!({ "key": format!("{}", n % 20) })).await;
            }
            if n % 70 == 0 {
                rig = rig.restart();
            }
        }
        let segments = std::fs::read_dir(rig.app_directory().join("log")).unwrap().count();
        assert!(segments > 2, "{segments} segments");
        let dump = |rig: &Rig| {
            let state = rig.app.snapshots().current().state.clone();
            let mut rows = Vec::new();
            for (table, rows_of) in state.tables() {
                let scan =
                    rows_of.scan(&chancery::state::Range::all(), chancery::state::Order::Ascending);
                rows.extend(scan.map(|row| {
                    (table.to_string(), row.key.to_owned(), row.value.to_owned(), row.changed)
                }));
            }
            (state.sequence(), state.time_ms(), state.position(), rows)
        };
        let before = dump(&rig);
        let rig = rig.restart();
        assert_eq!(dump(&rig), before);
    });
}

#[test]
fn events_are_recorded_with_their_command() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        let emit = json!({ "event_type": "thing.done", "type": "thing.done", "subject": "thing/1", "data": { "n": 1 } });
        let receipt = rig.command("emit", emit.clone()).await;
        assert_eq!(code(&receipt), "succeeded", "{:?}", outcome(&receipt).verdict);
        let event = &outcome(&receipt).events[0];
        assert_eq!((event.position.0, &*event.event_type), (1, "thing.done"));
        assert_eq!(result(&receipt), json!(event.id.to_string()));
        let rejected = json!({ "code": "no-way", "message": "No.", "event": "thing.refused" });
        let rejected = rig.command("reject", rejected).await;
        assert_eq!(code(&rejected), "no-way");
        assert_eq!(outcome(&rejected).events[0].position.0, 2);
        let rig = rig.restart();
        let next = rig.command("emit", emit).await;
        assert_eq!(outcome(&next).events[0].position.0, 3);
    });
}

#[test]
fn a_poisonous_command_is_given_up_after_three_deaths() {
    block_on(async {
        let mut rig = LaneRig::start(Settings::default());
        rig.deploy("probe", "probe").await;
        let (id, input) = (new_id(), json!({ "key": "a", "amount": 1 }));
        // What the file looks like when the process dies while this command
        // runs; killing a real process is for another test.
        let die = |rig: LaneRig| {
            rig.lane.close(PATIENCE);
            let mut bytes = vec![2];
            bytes.extend_from_slice(id.as_bytes());
            std::fs::write(rig.directory().join("running"), bytes).unwrap();
            rig.crash()
        };
        for _ in 0..3 {
            rig = die(rig);
        }
        let poisoned = flight(rig.submit(id, "add", &input).unwrap());
        poisoned.answered().await;
        let receipt = rig.lane.receipt(poisoned.sequence).unwrap().unwrap();
        assert_eq!(code(&receipt), "poisoned");
        assert_eq!(result(&rig.command("add", input).await), json!(1));
    });
}

fn flight(ticket: Ticket) -> std::sync::Arc<chancery::lane::Flight> {
    match ticket {
        Ticket::Flying { flight, .. } => flight,
        Ticket::Settled(sequence) => panic!("{sequence} is settled"),
    }
}

fn id_at(time_ms: u64) -> Uuid {
    let nanos = u32::try_from(time_ms % 1000).unwrap() * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, time_ms / 1000, nanos))
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

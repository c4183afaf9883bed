//! A log that fails: nothing is lost, nothing runs twice, queries go on.

use std::time::Duration;

use chancery::lane::{Answer, Flight, Health, Refusal, Settings, Ticket};
use chancery::log::memory::Fault;
use chancery_tests::rig::{PATIENCE, result, submission};
use chancery_tests::{LaneRig, block_on, new_id};
use serde_json::json;

fn settings() -> Settings {
    Settings { reopen_after: Duration::from_millis(5), ..Settings::default() }
}

#[test]
fn i1_i2_a_failed_append_is_unknown_and_the_same_id_settles_it() {
    for fault in [Fault::BeforeDurable, Fault::AfterDurable] {
        block_on(async {
            let rig = LaneRig::start(settings());
            rig.deploy("probe", "probe").await;
            let (id, input) = (new_id(), json!({ "key": "a", "amount": 1 }));
            for round in 1..=5 {
                rig.command("add", json!({ "key": "a", "amount": 1 })).await;
                rig.disk.fail_append(1, fault);
                let lost = json!({ "key": "a", "amount": 100 });
                let flight = flight(rig.submit(new_id(), "add", &lost).unwrap());
                let answer = flight.answered().await;
                assert!(matches!(answer, Answer::Unknown(_)), "{fault:?} {round}: {answer:?}");
                recovered(&rig).await;
                // Whatever became of it, sending it again makes it happen once.
                again(&rig, flight.id, &lost).await;
            }
            again(&rig, id, &input).await;
            let sum = rig.command("add", json!({ "key": "a", "amount": 0 })).await;
            assert_eq!(result(&sum), json!(5 + 500 + 1), "{fault:?}");
            let rig = rig.crash();
            let sum = rig.command("add", json!({ "key": "a", "amount": 0 })).await;
            assert_eq!(result(&sum), json!(506), "{fault:?}");
        });
    }
}

#[test]
fn i13_what_waits_behind_a_failed_round_was_certainly_not_logged() {
    block_on(async {
        let rig = LaneRig::start(settings());
        rig.deploy("probe", "probe").await;
        rig.disk.fail_append(1, Fault::BeforeDurable);
        let hold = rig.disk.hold_appends();
        let input = json!({ "key": "a", "amount": 1 });
        let first = flight(rig.submit(new_id(), "add", &input).unwrap());
        hold.wait_for_append();
        let second = flight(rig.submit(new_id(), "add", &input).unwrap());
        let before = rig.published();
        drop(hold);
        assert!(matches!(first.answered().await, Answer::Unknown(_)));
        let answer = second.answered().await;
        assert!(matches!(answer, Answer::NotLogged(_)), "{answer:?}");
        assert_eq!(rig.published(), before, "queries go on, on what was published");
        recovered(&rig).await;
        assert!(rig.lane.find(second.id).unwrap().is_none());
        // Whoever takes it for known, from before, is told that it is not: it is not to
        // have a place without having been admitted.
        let last = rig.lane.last_sequence();
        let fingerprint = submission(second.id, "add", &input).fingerprint;
        assert!(rig.lane.retry(second.id, fingerprint).unwrap().is_none());
        assert_eq!(rig.lane.last_sequence(), last);
        again(&rig, second.id, &input).await;
        again(&rig, first.id, &input).await;
        assert_eq!(result(&rig.command("add", input).await), json!(3));
    });
}

#[test]
fn i1_outcomes_of_a_failed_round_are_made_again() {
    block_on(async {
        let rig = LaneRig::start(settings());
        rig.deploy("probe", "probe").await;
        // The entry is durable, its outcome is in the round that fails.
        let slow = json!({ "iterations": 100_000_000_u64 });
        let slow = flight(rig.submit(new_id(), "spin", &slow).unwrap());
        let next =
            flight(rig.submit(new_id(), "add", &json!({ "key": "a", "amount": 1 })).unwrap());
        tokio::time::timeout(PATIENCE, next.logged()).await.unwrap();
        rig.disk.fail_append(1, Fault::BeforeDurable);
        assert!(matches!(slow.answered().await, Answer::Unknown(_)));
        recovered(&rig).await;
        let sum = rig.command("add", json!({ "key": "a", "amount": 10 })).await;
        assert_eq!(result(&sum), json!(11));
        for flight in [slow, next] {
            let receipt = rig.lane.receipt(flight.sequence).unwrap().unwrap();
            assert!(receipt.outcome.is_some());
        }
    });
}

#[test]
fn i1_faults_at_random_lose_nothing_and_repeat_nothing() {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    let mut random = StdRng::seed_from_u64(chancery_tests::seed());
    block_on(async {
        let rig = LaneRig::start(settings());
        rig.deploy("probe", "probe").await;
        let mut expected = 0;
        for _ in 0..chancery_tests::times("CHANCERY_FAULTS", 60) {
            let fault = if random.random() { Fault::BeforeDurable } else { Fault::AfterDurable };
            rig.disk.fail_append(random.random_range(1..4), fault);
            let commands: Vec<_> = (0..random.random_range(1..12))
                .map(|_| (new_id(), json!({ "key": "a", "amount": random.random_range(1..9) })))
                .collect();
            let mut flights = Vec::new();
            for (id, input) in &commands {
                if let Ok(ticket) = rig.submit(*id, "add", input) {
                    flights.push(flight(ticket));
                }
            }
            for flight in flights {
                flight.answered().await;
            }
            recovered(&rig).await;
            for (id, input) in &commands {
                again(&rig, *id, input).await;
                expected += input["amount"].as_i64().unwrap();
            }
        }
        // Faults that no append has met yet must not hit what follows.
        for _ in 0..8 {
            again(&rig, new_id(), &json!({ "key": "a", "amount": 0 })).await;
            recovered(&rig).await;
        }
        let sum = rig.command("add", json!({ "key": "a", "amount": 0 })).await;
        assert_eq!(result(&sum), json!(expected));
        let rig = rig.crash();
        let sum = rig.command("add", json!({ "key": "a", "amount": 0 })).await;
        assert_eq!(result(&sum), json!(expected));
    });
}

/// Sends a command, with the same id, until it has a receipt.
async fn again(rig: &LaneRig, id: chancery_tests::Uuid, input: &serde_json::Value) {
    loop {
        match rig.submit(id, "add", input) {
            Ok(Ticket::Settled(_)) => return,
            Ok(Ticket::Flying { flight, .. }) => {
                if let Answer::Done(_) = flight.answered().await {
                    return;
                }
            }
            Err(Refusal::Recovering { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(refusal) => panic!("{refusal}"),
        }
    }
}

async fn recovered(rig: &LaneRig) {
    let running = async {
        while rig.lane.health() != Health::Running {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, running).await.expect("the lane recovers");
}

fn flight(ticket: Ticket) -> std::sync::Arc<Flight> {
    match ticket {
        Ticket::Flying { flight, .. } => flight,
        Ticket::Settled(sequence) => panic!("{sequence} is settled"),
    }
}

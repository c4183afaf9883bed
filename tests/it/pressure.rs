//! What an independent reviewer broke, and stays mended: slow disks, doubled
//! requests, deep documents, full pools.

use std::time::Duration;

use chancery::engine::{Error, Progressed, Upload};
use chancery::lane::{Answer, Health, Settings, Ticket};
use chancery::log::memory::Fault;
use chancery::record::{Act, Keys, Unchanged};
use chancery::value::Sequence;
use chancery_tests::rig::{code, name, submission};
use chancery_tests::{LaneRig, Rig, block_on, guest, new_id};
use serde_json::json;

#[test]
fn i9_a_segment_may_begin_with_outcomes_only() {
    block_on(async {
        // Slower than the committer lingers: the entries are written first, their
        // outcomes in a round of their own, which then opens a segment.
        let rig = Rig::with(|settings| settings.log.segment_bytes = 17_000);
        rig.deploy("probe", "probe").await;
        for n in 0..30 {
            let spin = rig.request(new_id(), "spin", &json!({ "iterations": 3_000_000_u64 }));
            let spin = rig.app.submit(spin).unwrap();
            let put = json!({ "key": format!("{n}"), "value": "x".repeat(2000 + 97 * n) });
            let put = rig.app.submit(rig.request(new_id(), "put", &put)).unwrap();
            rig.done(&spin).await;
            rig.done(&put).await;
        }
        let segments = std::fs::read_dir(rig.app_directory().join("log")).unwrap().count();
        assert!(segments > 3, "{segments} segments");
        let last = rig.sequence();
        assert_eq!(rig.restart().sequence(), last);
    });
}

#[test]
fn i10_a_document_nested_deeply_is_refused_and_does_not_end_the_process() {
    block_on(async {
        let rig = Rig::start();
        let depth = (1 << 19) - 100;
        let mut request = rig.request(new_id(), "nothing", &json!({}));
        request.input = format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into();
        let refused = rig.app.submit(request).unwrap_err();
        assert!(refused.to_string().contains("nested too deeply"), "{refused}");
    });
}

#[test]
fn i7_a_receipt_that_is_read_while_others_wait_shows_what_is_visible() {
    let rig = Rig::start();
    block_on(async { drop(rig.deploy("probe", "probe").await) });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let rig = &rig;
            scope.spawn(move || block_on(unanswered(rig, thread)));
        }
    });
}

/// Submits commands and looks for their receipts as soon as they are logged.
async fn unanswered(rig: &Rig, thread: usize) {
    for n in 0..150 {
        let input = json!({ "key": format!("{thread}/{n}"), "value": "x".repeat(2000) });
        let submitted = rig.app.submit(rig.request(new_id(), "put", &input)).unwrap();
        let progress = rig.app.progress(&submitted, Duration::ZERO).await.unwrap();
        if let Progressed::Logged { sequence } = progress {
            let receipt = rig.app.lane().receipt(sequence).unwrap().unwrap();
            let visible = rig.app.snapshots().current().state.sequence();
            assert!(receipt.outcome.is_none() || visible >= sequence, "{visible} < {sequence}");
        }
    }
}

#[test]
fn i2_what_was_logged_runs_after_a_recovery_that_outlasted_the_threads() {
    block_on(async {
        let rig = LaneRig::start(Settings {
            reopen_after: Duration::from_millis(5),
            idle_after: Duration::from_millis(30),
            linger: Duration::ZERO,
            ..Settings::default()
        });
        rig.deploy("probe", "probe").await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        rig.disk.fail_append(1, Fault::AfterDurable);
        let hold = rig.disk.hold_appends();
        let (id, input) = (new_id(), json!({ "key": "a", "amount": 1 }));
        let Ticket::Flying { flight, .. } = rig.submit(id, "add", &input).unwrap() else {
            panic!("it is new")
        };
        hold.wait_for_append();
        // Long enough for an idle executor to end.
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(hold);
        assert!(matches!(flight.answered().await, Answer::Unknown(_)));
        let settled = async {
            loop {
                match rig.submit(id, "add", &input) {
                    Ok(Ticket::Settled(sequence)) => return sequence,
                    Ok(Ticket::Flying { flight, .. }) => drop(flight.answered().await.clone()),
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let sequence = tokio::time::timeout(Duration::from_secs(10), settled).await;
        assert_eq!(sequence.expect("it runs"), flight.sequence);
    });
}

#[test]
fn i2_the_same_deployment_twice_migrates_once() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("shop", "shop").await;
        let lamp = json!({ "product": "lamp", "name": "Lamp", "quantity": 3 });
        rig.succeed("add-product", lamp).await;
        rig.app.lane().modules().keep(&guest("shop-v2")).unwrap();
        let (upload, shop) = (|| Upload::Bytes(guest("shop-v2").into()), name("shop"));
        let (one, two, three) = tokio::join!(
            rig.app.deploy(&shop, upload()),
            rig.app.deploy(&shop, upload()),
            rig.app.deploy(&shop, upload())
        );
        let receipts = [one, two, three].into_iter().filter_map(|done| done.unwrap().receipt);
        let changed = receipts.filter(|receipt| {
            assert_eq!(code(receipt), "succeeded");
            !chancery_tests::rig::outcome(receipt).changes.is_empty()
        });
        assert_eq!(changed.count(), 1);
    });
}

#[test]
fn i12_instances_of_removed_modules_go_back_to_the_pool() {
    block_on(async {
        let rig = Rig::with(|settings| settings.wasm.instances_max = 3);
        for n in 0..5 {
            let module = format!("probe{n}");
            rig.deploy(&module, "probe").await;
            rig.succeed("add", json!({ "key": "a", "amount": 1 })).await;
            assert_eq!(rig.app.lane().health(), Health::Running);
            assert_eq!(code(&rig.app.remove(&module).await.unwrap()), "succeeded");
            for table in ["items", "counters"] {
                assert_eq!(code(&rig.app.drop_table(table).await.unwrap()), "succeeded");
            }
        }
    });
}

#[test]
fn a_table_that_was_dropped_has_changed() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("shop", "shop").await;
        rig.deploy("shop", "shop-v2").await;
        let basis = Sequence(rig.sequence());
        rig.app.drop_table("orders").await.unwrap();
        let mut counting = submission(new_id(), "buy-product", &json!({ "product": "lamp" }));
        if let Act::Command(command) = &mut counting.act {
            command.basis = Some(basis);
            let keys = Keys::Prefix(String::new());
            command.unchanged = vec![Unchanged { table: name("orders"), keys }];
        }
        let Ticket::Flying { flight, .. } = rig.app.lane().submit(counting).unwrap() else {
            panic!("it is new")
        };
        let Answer::Done(receipt) = flight.answered().await else { panic!("no receipt") };
        assert_eq!(code(receipt), "stale");
    });
}

#[test]
fn modules_are_kept_whole_by_many_at_one_time() {
    let rig = Rig::start();
    let modules = rig.app.lane().modules();
    for round in 0..20_u32 {
        let bytes: Vec<u8> = (0..50_000).flat_map(|n: u32| (n ^ round).to_le_bytes()).collect();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let hash = modules.keep(&bytes).unwrap();
                    assert_eq!(modules.bytes(hash).unwrap(), bytes);
                });
            }
        });
    }
}

#[test]
fn i12_an_upload_whose_client_went_away_still_has_its_turn() {
    let rig = Rig::with(|settings| settings.compiles_waiting_max = 0);
    block_on(async {
        let probe = name("probe");
        let plan = |bytes: Vec<u8>| rig.app.plan(&probe, Upload::Bytes(bytes.into()));
        let gone = tokio::time::timeout(Duration::from_millis(3), plan(guest("movies"))).await;
        assert!(gone.is_err(), "it was compiled in no time");
        let busy = plan(guest("probe")).await.unwrap_err();
        assert!(matches!(busy, Error::Busy { what: "uploads" }), "{busy}");
    });
}

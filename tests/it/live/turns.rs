//! What live queries leave to others, and to themselves: turns, and answers whose wait
//! was given up.

use std::time::Duration;

use chancery::engine::{Live, LiveRequest};
use chancery::value::Value;
use chancery_tests::{Rig, block_on, text};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

async fn live(rig: &Rig, name: &str, input: &Json) -> Live {
    let request = LiveRequest {
        name: name.to_owned(),
        input: text(input),
        at_least: None,
        caller: None,
        metadata: "{}".into(),
        request_id: "test".into(),
        rate_max: 1000,
    };
    rig.app.live(request).await.expect("a live query")
}

fn json_of(answer: Result<Value, chancery::engine::Error>) -> Json {
    let Ok(Value::Json(text)) = answer else { panic!("{answer:?}") };
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn an_answer_whose_wait_was_given_up_comes_at_the_next() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        let mut live = live(&rig, "get", &json!({ "key": "k" })).await;
        let first = live.next().await.expect("an answer");
        assert_eq!(json_of(first.answer), Json::Null);
        for n in 0..50 {
            let early = timeout(Duration::from_millis(1), live.next()).await;
            assert!(early.is_err(), "nothing has changed");
            rig.succeed("put", json!({ "key": "k", "value": n })).await;
            let update = loop {
                // Given up wherever it is.
                if let Ok(update) = timeout(Duration::from_micros(n * 20), live.next()).await {
                    break update.expect("an answer");
                }
            };
            assert_eq!(json_of(update.answer), n);
            assert_eq!(update.sequence, rig.app.snapshots().current().state.sequence());
        }
        assert_eq!(rig.app.live_figures().runs(), 51);
    });
}

#[test]
fn however_many_wake_at_once_others_are_asked_at_once() {
    const LAST: u64 = 50;
    block_on(async {
        let rig = Rig::with(|settings| {
            // Whoever had to wait for a turn would be refused.
            (settings.queries_max, settings.queries_waiting_max) = (2, 0);
        });
        rig.deploy("probe", "probe").await;
        let fill = json!({ "prefix": "f/", "count": 500, "bytes": 100 });
        rig.succeed("fill", fill).await;
        let mut readers = Vec::new();
        for _ in 0..20 {
            let mut live = live(&rig, "list", &json!({ "prefix": "f/" })).await;
            readers.push(tokio::spawn(async move {
                loop {
                    let update = live.next().await.expect("it goes on");
                    if json_of(update.answer)[500][1] == LAST {
                        break;
                    }
                }
            }));
        }
        for n in 1..=LAST {
            rig.succeed("put", json!({ "key": "f/n", "value": n })).await;
            assert_eq!(rig.query("get", json!({ "key": "f/n" })).await, n);
        }
        for reader in readers {
            reader.await.expect("it has seen the last state");
        }
        assert_eq!(rig.app.live_figures().open(), 0);
    });
}

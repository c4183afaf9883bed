//! Ids that no command may have.

use std::time::{Duration, SystemTime};

use chancery_tests::{App, Uuid, new_id};
use serde_json::json;
use uuid::{NoContext, Timestamp};

use super::{JSON, Site, assert_names};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn id_at(time: SystemTime) -> Uuid {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let time = Timestamp::from_unix(NoContext, since_1970.as_secs(), since_1970.subsec_nanos());
    Uuid::new_v7(time)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "ids of a time before and after this one")]
fn i3_ids_that_are_malformed_of_a_wrong_version_or_outside_the_window_are_refused() {
    let site = Site::start();
    let now = SystemTime::now();
    let v4 = "3b12f1df-5232-4804-897e-917bf397618a".to_owned();
    let v8 = "320c3d4d-cc00-875b-8ec9-32d5f69181c0".to_owned();
    let cases = [
        ("not-a-uuid".to_owned(), "invalid-id", vec!["not-a-uuid"]),
        (new_id().to_string()[..35].to_owned(), "invalid-id", vec![]),
        (Uuid::nil().to_string(), "invalid-id", vec![]),
        (v4, "invalid-id", vec!["version 4", "7"]),
        (v8, "invalid-id", vec!["version 8", "7"]),
        (id_at(now - 25 * HOUR).to_string(), "id-expired", vec!["new id"]),
        (id_at(now - 24 * 365 * HOUR).to_string(), "id-expired", vec!["new id"]),
        (id_at(now + HOUR).to_string(), "id-ahead", vec!["5 minutes", "clock"]),
    ];
    for (id, code, words) in cases {
        let status = if code == "invalid-id" { 400 } else { 422 };
        let body = json!({ "name": "add", "input": { "key": "a", "amount": 1 } }).to_string();
        let put = |app: &App| app.send("PUT", &format!("/commands/{id}"), &[JSON], body.as_bytes());
        assert_names(&site.not_logged(put, status, code), &words);
        let headers = [JSON, ("idempotency-key", id.as_str())];
        let input = br#"{"key":"a","amount":1}"#;
        let post = |app: &App| app.send("POST", "/commands/add", &headers, input);
        assert_names(&site.not_logged(post, status, code), &words);
    }
    let none = |app: &App| app.send("POST", "/commands/add", &[JSON], b"{}");
    assert_names(&site.not_logged(none, 400, "invalid-id"), &["`Idempotency-Key`", "version 7"]);
    // What is within the window, and of a version with a time, is taken.
    let v1 = Uuid::new_v1(Timestamp::now(NoContext), &[1, 2, 3, 4, 5, 6]);
    let v6 = Uuid::new_v6(Timestamp::now(NoContext), &[1, 2, 3, 4, 5, 6]);
    for id in [v1, v6, id_at(now - 23 * HOUR), id_at(now + HOUR / 15)] {
        let input = json!({ "key": "a", "amount": 1 });
        assert_eq!(site.app.command_with(id, "add", &input, &[]).status, 200, "{id}");
    }
    assert_eq!(site.app.ask("sum", &json!({})), json!(4));
    site.assert_unharmed();
}

#[test]
fn i3_the_same_id_with_another_body_is_refused() {
    let site = Site::start();
    let id = new_id();
    let input = json!({ "key": "a", "amount": 1 });
    let original = site.app.command_with(id, "add", &input, &[]);
    let sequence = original.expect(200)["sequence"].clone();
    let others = [
        ("add", json!({ "key": "a", "amount": 2 })),
        ("add", json!({ "key": "a", "amount": 1.0 })),
        ("append", json!({ "key": "a", "text": "1" })),
    ];
    let refuse_others = || {
        for (name, input) in &others {
            let refused = |app: &App| app.command_with(id, name, input, &[]);
            let refused = site.not_logged(refused, 422, "id-reused");
            assert_eq!((&refused["sequence"], &refused["retry"]), (&sequence, &json!("new-id")));
        }
    };
    refuse_others();
    let replay = site.app.command_with(id, "add", &input, &[]);
    assert_eq!((replay.status, &replay.body), (200, &original.body));
    refuse_others();
    assert_eq!(site.app.ask("sum", &json!({})), json!(1));
    site.assert_unharmed();
}

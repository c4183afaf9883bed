//! Commands that are refused before anything is logged, and receipts as JSON.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::super::receipt::ReceiptJson;
use super::{Api, JSON, request};
use crate::receipts::Receipt;
use crate::record::{Act, Command, Entry, Outcome, Verdict};
use crate::value::{
    ChangeSet, Event, Failure, Hash, Key, Lifecycle, Name, Position, Sequence, TableChanges, Value,
};

#[tokio::test]
async fn ids_without_a_time_that_clients_may_set() {
    let api = Api::new();
    let of_version = |n: char| {
        let mut text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".to_owned();
        text.replace_range(14..15, n.encode_utf8(&mut [0; 4]));
        text
    };
    let refused = "234589abcdef0".chars().map(of_version);
    let others = ["x", "nil", "%20", "00000000-0000-0000-0000-000000000000"].map(str::to_owned);
    let wrong_variant = "017f22e2-79b0-7cc3-18c4-dc0c0c07398f".to_owned();
    for id in refused.chain(others).chain([wrong_variant]) {
        let put = api.put(&format!("/v1/apps/main/commands/{id}"), r#"{"name":"buy"}"#).await;
        put.not_logged(400, "invalid-id");
    }
    for n in "167".chars() {
        let path = format!("/v1/apps/main/commands/{}", of_version(n));
        api.put(&path, r#"{"name":"buy"}"#).await.not_logged(404, "unknown-command");
    }
}

#[tokio::test]
async fn ids_in_the_header() {
    let api = Api::new();
    let post =
        |headers: &[(&str, &str)]| request("POST", "/v1/apps/main/commands/buy", headers, "");
    let problem = api.send(post(&[])).await.not_logged(400, "invalid-id");
    assert!(problem["detail"].as_str().unwrap().contains("Idempotency-Key"));
    let id = Uuid::now_v7().to_string();
    for key in [id.clone(), format!("\"{id}\""), format!("  {id} ")] {
        let reply = api.send(post(&[("idempotency-key", &key)])).await;
        reply.not_logged(404, "unknown-command");
    }
    for key in ["", "\"\"", "key-1", &format!("\"{id}"), &format!("'{id}'")] {
        let reply = api.send(post(&[("idempotency-key", key)])).await;
        reply.not_logged(400, "invalid-id");
    }
    let asked =
        request("POST", "/v1/apps/main/commands/buy?basis=x", &[("idempotency-key", &id)], "");
    api.send(asked).await.problem(400, "invalid-request");
    let body =
        request("POST", "/v1/apps/main/commands/buy", &[JSON, ("idempotency-key", &id)], "{,}");
    let problem = api.send(body).await.not_logged(400, "not-json");
    assert_eq!(problem["offset"], 1);
}

#[tokio::test]
async fn envelopes_that_are_not_json() {
    let api = Api::new();
    let cases =
        [("", 0), ("{", 1), ("nope", 1), ("{\n  \"name\": }", 12), (r#"{"name":"a"} x"#, 13)];
    for (body, offset) in cases {
        let problem = api.command(body).await.not_logged(400, "not-json");
        assert_eq!(problem["offset"], offset, "{body:?}: {problem}");
    }
    let mut bytes = request("PUT", &super::fresh_command(), &[JSON], "");
    *bytes.body_mut() = axum::body::Body::from(&b"{\"name\":\"\xff\"}"[..]);
    let problem = api.send(bytes).await.not_logged(400, "not-json");
    assert_eq!(problem["offset"], 9);
}

#[tokio::test]
async fn envelopes_that_name_the_wrong_member() {
    let api = Api::new();
    let cases = [
        (r#"{}"#, "/name"),
        (r#"{"name":1}"#, "/name"),
        (r#"{"name":"buy","basis":-1}"#, "/basis"),
        (r#"{"name":"buy","basis":"1"}"#, "/basis"),
        (r#"{"name":"buy","unchanged":{}}"#, "/unchanged"),
        (r#"{"name":"buy","unchanged":[{"table":"t","key":"a","prefix":"a"}]}"#, "/unchanged/0"),
        (r#"{"name":"buy","unchanged":[{"table":"t","key":"a"},{"table":"t"}]}"#, "/unchanged/1"),
        (r#"{"name":"buy","unchanged":[{"table":"T","key":"a"}]}"#, "/unchanged/0"),
        (r#"{"name":"buy","unchanged":[{"table":"t","key":""}]}"#, "/unchanged/0"),
        (r#"{"name":"buy","unchanged":[{"table":"t","keys":[]}]}"#, "/unchanged/0"),
        (r#"{"name":"buy","correlation_id":""}"#, "/correlation_id"),
        (r#"{"name":"buy","causation_id":7}"#, "/causation_id"),
        (r#"{"name":"buy","metadata":[]}"#, "/metadata"),
        (r#"{"name":"buy","metadata":"x"}"#, "/metadata"),
    ];
    for (body, pointer) in cases {
        let problem = api.command(body).await.not_logged(400, "invalid-request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    for (body, word) in [
        ("[]", "object"),
        (r#"["buy",{},null,null,null,null,null]"#, "object"),
        (r#"{"name":"buy","payload":{}}"#, "`payload`"),
        (r#"{"name":"buy","name":"buy"}"#, "`name`"),
    ] {
        let problem = api.command(body).await.not_logged(400, "invalid-request");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    let many = vec![r#"{"table":"t","key":"a"}"#; 1001].join(",");
    let problem = api.command(&format!(r#"{{"name":"buy","unchanged":[{many}]}}"#)).await;
    assert_eq!(problem.not_logged(400, "invalid-request")["errors"][0]["pointer"], "/unchanged");
}

#[tokio::test]
async fn commands_and_receipts_that_are_not_there() {
    let api = Api::new();
    let whole = r#"{"name":"buy","input":{"n":1},"basis":0,"unchanged":[{"table":"t","prefix":""}],
        "correlation_id":"c","causation_id":"d","metadata":{"a":[1]}}"#;
    api.command(whole).await.not_logged(404, "unknown-command");
    let nulls = r#"{"name":"buy","basis":null,"unchanged":null,"correlation_id":null}"#;
    api.command(nulls).await.not_logged(404, "unknown-command");
    for prefer in ["dry-run", "respond-async", "wait=1"] {
        let headers = [JSON, ("prefer", prefer)];
        let reply = request("PUT", &super::fresh_command(), &headers, r#"{"name":"buy"}"#);
        api.send(reply).await.not_logged(404, "unknown-command");
    }
    let problem = api.get(&super::fresh_command()).await.problem(404, "unknown-receipt");
    assert_eq!(problem["outcome"], "unknown");
    api.get("/v1/apps/main/commands/7").await.problem(400, "invalid-id");
}

fn entry() -> Entry {
    Entry {
        sequence: Sequence(7),
        time_ms: 1_795_234_627_123,
        id: Uuid::from_u128(0x017f_22e2_79b0_7cc3_98c4_dc0c_0c07_398f),
        fingerprint: Hash::of(b""),
        act: Act::Command(Command {
            name: "buy".parse().unwrap(),
            input: "{}".into(),
            basis: None,
            unchanged: Vec::new(),
            scheduled_for_ms: None,
            caller: None,
            correlation_id: "c".into(),
            causation_id: None,
            metadata: "{}".into(),
        }),
        erased: false,
    }
}

fn receipt(verdict: Verdict) -> Receipt {
    let event = Event {
        position: Position(3),
        id: Uuid::from_u128(5),
        event_type: "order.placed".into(),
        subject: None,
        data: r#"{"n": 1.0}"#.into(),
    };
    let rows = |n: usize| (0..n).map(|n| (Key::new(&format!("k{n}")).unwrap(), None)).collect();
    let changes = |table, n| TableChanges { table, lifecycle: Lifecycle::Kept, rows: rows(n) };
    let tables = vec![changes(Name::system("$timers"), 1), changes("t".parse().unwrap(), 2)];
    let outcome = Outcome {
        sequence: Sequence(7),
        module: Some("shop".parse().unwrap()),
        module_hash: Some(Hash([0xab; 32])),
        verdict,
        changes: ChangeSet { tables },
        events: vec![event],
        elapsed_us: 12,
        erased: false,
    };
    Receipt { entry: Arc::new(entry()), outcome: Some(Arc::new(outcome)) }
}

#[test]
fn receipts_show_what_was_stored_as_it_was_stored() {
    let stored = receipt(Verdict::Succeeded(Value::Json(r#"{"b":1.50,"a":[ ]}"#.into())));
    let text = serde_json::to_string(&ReceiptJson::of(&stored)).unwrap();
    let hash = "ab".repeat(32);
    let expected = format!(
        r#"{{"id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f","sequence":7,"kind":"command","name":"buy","status":"succeeded","accepted_at":"2026-11-21T04:17:07.123Z","module":"shop","module_hash":"{hash}","result":{{"b":1.50,"a":[ ]}},"events":[{{"position":3,"id":"00000000-0000-0000-0000-000000000005","type":"order.placed","data":{{"n": 1.0}}}}],"changes":2,"elapsed_us":12}}"#
    );
    assert_eq!(text, expected);
}

#[test]
fn receipts_of_every_end() {
    let show = |receipt: &Receipt| serde_json::to_value(ReceiptJson::of(receipt)).unwrap();
    let bytes = show(&receipt(Verdict::Succeeded(Value::Bytes([1, 2, 3][..].into()))));
    assert_eq!(bytes["result_base64"], "AQID");
    let failure = Failure {
        code: "out-of-stock".into(),
        message: "none left".into(),
        details: Some(r#"{"left":0}"#.into()),
    };
    let rejected = show(&receipt(Verdict::Rejected(failure.clone())));
    assert_eq!(rejected["status"], "rejected");
    let shown = json!({"code": "out-of-stock", "message": "none left", "details": {"left": 0}});
    assert_eq!(rejected["failure"], shown);
    assert_eq!(show(&receipt(Verdict::Failed(failure)))["status"], "failed");
    let accepted = Receipt { entry: Arc::new(entry()), outcome: None };
    let accepted = show(&accepted);
    assert_eq!(accepted["status"], "accepted");
    assert_eq!((&accepted["events"], &accepted["changes"]), (&json!([]), &json!(0)));
    assert_eq!(accepted.get("result"), None);
}

//! Header fields that carry more than one thing.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::super::answer::Time;
use super::super::prefer::Prefer;
use super::super::trace::{metadata, traceparent};

const DEFAULT: Duration = Duration::from_secs(5);
const MAX: Duration = Duration::from_secs(60);

fn fields(name: &'static str, values: &[&str]) -> HeaderMap {
    let values = values.iter().map(|value| (name.parse().unwrap(), value.parse().unwrap()));
    values.collect()
}

#[test]
fn preferences_are_read_as_rfc_7240_has_them() {
    let cases: [(&[&str], u64, Option<&str>); 12] = [
        (&[], 5, None),
        (&["respond-async"], 0, Some("respond-async")),
        (&["wait=10"], 10, Some("wait=10")),
        (&["wait=\"10\""], 10, Some("wait=10")),
        (&["Wait = 10"], 10, Some("wait=10")),
        (&["wait=600"], 60, Some("wait=60")),
        (&["respond-async, wait=10"], 10, Some("respond-async, wait=10")),
        (&["wait=1", "wait=2"], 1, Some("wait=1")),
        (&["wait=soon"], 5, None),
        (&["handling=lenient; x=\"y\", return=minimal"], 5, None),
        (&["dry-run"], 5, Some("dry-run")),
        (&[",,;="], 5, None),
    ];
    for (values, wait, applied) in cases {
        let prefer = Prefer::of(&fields("prefer", values), DEFAULT, MAX);
        assert_eq!(prefer.wait.as_secs(), wait, "{values:?}");
        assert_eq!(prefer.applied(StatusCode::ACCEPTED).as_deref(), applied, "{values:?}");
        assert_eq!(prefer.dry_run, applied == Some("dry-run"), "{values:?}");
    }
}

#[test]
fn a_trace_is_passed_on_if_it_is_one() {
    let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(traceparent(&fields("traceparent", &[valid])), Some(valid));
    let later = format!("01{}-more", &valid[2..]);
    assert_eq!(traceparent(&fields("traceparent", &[&later])), Some(later.as_str()));
    let upper = valid.to_uppercase();
    let more = format!("{valid}-more");
    let zeros = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    for invalid in ["", "00", &valid[..54], &upper, &more, zeros, &format!("ff{}", &valid[2..])] {
        assert_eq!(traceparent(&fields("traceparent", &[invalid])), None, "{invalid}");
    }
}

#[test]
fn metadata_is_an_object_and_keeps_what_its_client_said() {
    let with = |text| metadata(text, Some("t"));
    assert_eq!(metadata(r#"{"b": 1.0}"#, None).as_deref(), Some(r#"{"b": 1.0}"#));
    assert_eq!(with("{}").as_deref(), Some(r#"{"traceparent":"t"}"#));
    assert_eq!(with(r#"{"z":1.0}"#).as_deref(), Some(r#"{"traceparent":"t","z":1.0}"#));
    let own = r#"{"traceparent":"mine"}"#;
    assert_eq!(with(own).as_deref(), Some(own));
    for other in ["[]", "1", "null", "\"x\""] {
        assert_eq!(with(other), None, "{other}");
    }
}

#[test]
fn times_are_utc_with_milliseconds() {
    assert_eq!(Time(0).to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(Time(1_795_234_627_123).to_string(), "2026-11-21T04:17:07.123Z");
    assert!(Time(u64::MAX).to_string().starts_with("9999-12-"));
}

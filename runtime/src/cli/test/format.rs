//! The files of tests: what can stand in them. Knows nothing of servers.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use crate::config::Text;

/// What can be said of a refusal.
const REFUSAL: [&str; 3] = ["code", "message", "details"];

/// A test: steps that go on from one another.
#[derive(Debug, PartialEq)]
pub(super) struct Case(pub(super) Vec<Step>);

/// What is given, when what is done, and what then is so.
#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Commands that succeed.
    #[serde(default)]
    pub(super) given: Vec<Call>,
    /// How much time passes then.
    #[serde(default, deserialize_with = "time")]
    pub(super) wait: Option<Duration>,
    /// The command or query that is looked at.
    #[serde(default)]
    pub(super) when: Option<Call>,
    /// What is so afterwards.
    #[serde(default)]
    pub(super) then: Then,
}

/// A command or query, by name, and its input: an object with one member.
#[derive(Debug, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) input: Json,
}

/// What is so. Where JSON is expected, objects may have more members than are named.
#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Then {
    /// It succeeded, with this result.
    #[serde(default, deserialize_with = "some")]
    pub(super) result: Option<Json>,
    /// It was rejected.
    #[serde(default)]
    pub(super) rejected: Option<Refusal>,
    /// Its handler failed: it trapped, or was stopped.
    #[serde(default)]
    pub(super) failed: Option<Refusal>,
    /// It emitted exactly these events, in this order.
    #[serde(default)]
    pub(super) events: Option<Vec<Json>>,
    /// Exactly these commands followed, by reactions and timers, in this order.
    #[serde(default)]
    pub(super) commands: Option<Vec<String>>,
    /// These rows are there, by table and key; null is for one that is not.
    #[serde(default)]
    pub(super) rows: Ordered<Ordered<Json>>,
}

/// A code, or an object with more of what was said.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal(pub(super) Json);

/// Members in the order in which they stand; none twice.
#[derive(Debug, PartialEq)]
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

/// Reads a file.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn parse(text: &str) -> Result<Vec<(String, Case)>, String> {
    let cases: Ordered<Case> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(cases.0)
}

impl Step {
    /// Whether anything is looked at.
    fn is_empty(&self) -> bool {
        self.given.is_empty() && self.when.is_none() && self.wait.is_none()
    }
}

impl Then {
    /// Whether it says how something ended.
    fn is_about_a_call(&self) -> bool {
        self.result.is_some()
            || self.rejected.is_some()
            || self.failed.is_some()
            || self.events.is_some()
    }
}

impl<'de> Deserialize<'de> for Case {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Steps;
        impl<'de> Visitor<'de> for Steps {
            type Value = Vec<Step>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with given, when and then, or a list of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Step>, A::Error> {
                Step::deserialize(MapAccessDeserializer::new(map)).map(|step| vec![step])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<Step>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq))
            }
        }
        let steps = from.deserialize_any(Steps)?;
        for step in &steps {
            let ends = [&step.then.result.is_some(), &step.then.rejected.is_some()];
            let ends =
                ends.iter().filter(|is| ***is).count() + usize::from(step.then.failed.is_some());
            if step.is_empty() {
                return Err(D::Error::custom("a step needs `when`, `given` or `wait`"));
            }
            if step.when.is_none() && step.then.is_about_a_call() {
                return Err(D::Error::custom("`then` says how something ended; say `when` what"));
            }
            if ends > 1 {
                let reason = "`then` has one of `result`, `rejected` and `failed`";
                return Err(D::Error::custom(reason));
            }
        }
        match steps.is_empty() {
            true => Err(D::Error::custom("a test has at least one step")),
            false => Ok(Self(steps)),
        }
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut members = Ordered::<Json>::deserialize(from)?.0;
        match (members.pop(), members.is_empty()) {
            (Some((name, input)), true) => Ok(Self { name, input }),
            _ => Err(D::Error::custom(
                "a call is an object with one member: the name, and the input as its value",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Refusal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Json::deserialize(from)? {
            Json::String(code) => Ok(Self(serde_json::json!({ "code": code }))),
            Json::Object(members) => {
                match members.keys().find(|member| !REFUSAL.contains(&member.as_str())) {
                    None => Ok(Self(Json::Object(members))),
                    Some(other) => Err(D::Error::unknown_field(other, &REFUSAL)),
                }
            }
            _ => Err(D::Error::custom("a code, or an object with code, message and details")),
        }
    }
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Vec<(String, T)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Self::Value = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if members.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format!("`{name}` is there twice")));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(members)
            }
        }
        from.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// What is there, and be it null.
fn some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(from).map(Some)
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    // Days are what processes of people are made of, and no setting has them.
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    match days {
        Some(days) => Ok(Some(Duration::from_secs(u64::from(days) * 24 * 3600))),
        None => <Duration as Text>::parse(&text).map(Some).map_err(|_other_units| {
            D::Error::custom("a time with its unit, such as 90s, 15m, 24h or 31d")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).expect_err("it cannot be understood")
    }

    #[test]
    fn cases_stay_in_order_and_null_is_a_result() {
        let cases = parse(
            r#"{ "b": { "when": { "x": 1 }, "then": { "result": null } },
                 "a": [{ "given": [{ "y": {} }], "wait": "31d" }, { "wait": "90s" }] }"#,
        );
        let cases = cases.expect("a file");
        let names: Vec<&str> = cases.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        let [(_, Case(b)), (_, Case(a))] = cases.as_slice() else { panic!("{cases:?}") };
        assert_eq!(b[0].then.result, Some(Json::Null));
        assert_eq!(b[0].when, Some(Call { name: "x".to_owned(), input: 1.into() }));
        assert_eq!(a[0].wait, Some(Duration::from_secs(31 * 24 * 3600)));
        assert_eq!(a[1].wait, Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_refusal_is_a_code_or_more() {
        let then = |text: &str| {
            let text = format!(r#"{{ "a": {{ "when": {{ "x": {{}} }}, "then": {text} }} }}"#);
            parse(&text).map(|mut cases| cases.remove(0).1.0.remove(0).then.rejected)
        };
        let code = Refusal(serde_json::json!({ "code": "c" }));
        assert_eq!(then(r#"{ "rejected": "c" }"#), Ok(Some(code)));
        let more = Refusal(serde_json::json!({ "details": { "a": 1 } }));
        assert_eq!(then(r#"{ "rejected": { "details": { "a": 1 } } }"#), Ok(Some(more)));
        insta::assert_snapshot!(then(r#"{ "rejected": { "kode": 1 } }"#).expect_err("a typo"), @"unknown field `kode`, expected one of `code`, `message`, `details` at line 1 column 67");
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_its_place() {
        insta::assert_snapshot!(refused("[]"), @"invalid type: sequence, expected an object at line 1 column 0");
        insta::assert_snapshot!(refused(r#"{ "a": [] }"#), @"a test has at least one step at line 1 column 11");
        insta::assert_snapshot!(refused(r#"{ "a": {} }"#), @"a step needs `when`, `given` or `wait` at line 1 column 11");
        insta::assert_snapshot!(refused(r#"{ "a": { "when": {} } }"#), @"a call is an object with one member: the name, and the input as its value at line 1 column 21");
        insta::assert_snapshot!(refused(r#"{ "a": { "wait": "soon" } }"#), @"a time with its unit, such as 90s, 15m, 24h or 31d at line 1 column 25");
        insta::assert_snapshot!(refused(r#"{ "a": { "wait": "1s", "then": { "result": 1 } } }"#), @"`then` says how something ended; say `when` what at line 1 column 50");
        insta::assert_snapshot!(refused(r#"{ "a": { "when": {"x":1}, "then": { "result": 1, "rejected": "b" } } }"#), @"`then` has one of `result`, `rejected` and `failed` at line 1 column 70");
        insta::assert_snapshot!(refused(r#"{ "a": { "when": {"x":1}, "than": {} } }"#), @"unknown field `than`, expected one of `given`, `wait`, `when`, `then` at line 1 column 32");
        insta::assert_snapshot!(refused(r#"{ "a": {"wait":"1s"}, "a": {"wait":"1s"} }"#), @"`a` is there twice at line 1 column 25");
    }
}

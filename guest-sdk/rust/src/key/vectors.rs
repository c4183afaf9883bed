//! The keys that SDKs in other languages are tested against too: one file for all.

use std::fmt::Debug;

use serde_json::Value;

use super::{Key, KeyWriter, Prefix, components, decode, encode};

const VECTORS: &str = include_str!("../../../js/test/key-vectors.json");

/// A component of any type, as the file has it.
#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Integer(i128),
    Boolean(bool),
}

/// A component of a key whose type only the file knows.
impl super::Encode for Part {
    fn encode(&self, key: &mut KeyWriter) {
        match self {
            Self::Text(text) => text.encode(key),
            Self::Integer(integer) => integer.encode(key),
            Self::Boolean(boolean) => boolean.encode(key),
        }
    }
}

struct Parts(Vec<Part>);

impl super::Encode for Parts {
    fn encode(&self, key: &mut KeyWriter) {
        self.0.iter().for_each(|part| part.encode(key));
    }
}

fn groups(name: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    vectors[name].as_array().expect("an array").clone()
}

fn part(value: &Value) -> Part {
    match value {
        Value::String(text) => Part::Text(text.clone()),
        Value::Bool(boolean) => Part::Boolean(*boolean),
        Value::Number(number) => Part::Integer(number.as_i64().expect("an integer").into()),
        big => Part::Integer(big["integer"].as_str().expect("digits").parse().expect("digits")),
    }
}

fn parts(value: &Value) -> Parts {
    match value {
        Value::Array(list) => Parts(list.iter().map(part).collect()),
        one => Parts(vec![part(one)]),
    }
}

fn types(group: &Value) -> Vec<&str> {
    match &group["type"] {
        Value::Array(list) => list.iter().map(|name| name.as_str().expect("a name")).collect(),
        one => vec![one.as_str().expect("a name")],
    }
}

/// What a text stands for as a key of these types; none if nothing.
fn read(types: &[&str], text: &str) -> Option<Vec<Part>> {
    fn one<K: Key + Debug>(text: &str, part: fn(K) -> Part) -> Option<Vec<Part>> {
        decode::<K>(text).ok().map(|key| vec![part(key)])
    }
    match types {
        ["text"] => one(text, Part::Text),
        ["integer"] => one(text, Part::Integer),
        ["boolean"] => one(text, Part::Boolean),
        ["text", "integer"] => decode::<(String, i128)>(text)
            .ok()
            .map(|(first, second)| vec![Part::Text(first), Part::Integer(second)]),
        ["integer", "text", "boolean"] => {
            decode::<(i128, String, bool)>(text).ok().map(|(first, second, third)| {
                vec![Part::Integer(first), Part::Text(second), Part::Boolean(third)]
            })
        }
        other => panic!("no test for keys of {other:?}"),
    }
}

/// `Uuid` is behind a feature, and its form is that of the `uuid` crate.
fn groups_without_uuid(name: &str) -> Vec<Value> {
    groups(name).into_iter().filter(|group| group["type"] != "uuid").collect()
}

#[test]
fn keys_are_written_as_everywhere() {
    let mut n_keys = 0;
    for group in groups_without_uuid("keys") {
        let keys = group["keys"].as_array().expect("an array");
        let texts: Vec<_> = keys.iter().map(|pair| pair[1].as_str().expect("a text")).collect();
        assert!(texts.is_sorted(), "{texts:?}");
        for (pair, text) in keys.iter().zip(texts) {
            let key = parts(&pair[0]);
            assert_eq!(encode(&key), text, "{pair}");
            assert_eq!(read(&types(&group), text), Some(key.0), "{pair}");
            n_keys += 1;
        }
    }
    assert!(n_keys > 50, "{n_keys}");
}

#[test]
fn what_is_no_key_is_none_anywhere() {
    for group in groups_without_uuid("malformed") {
        for text in group["texts"].as_array().expect("an array") {
            let text = text.as_str().expect("a text");
            assert_eq!(read(&types(&group), text), None, "{text:?} as {}", group["type"]);
        }
    }
}

#[test]
fn prefixes_are_written_as_everywhere() {
    for group in groups("prefixes") {
        for pair in group["prefixes"].as_array().expect("an array") {
            let text = match &pair[0] {
                Value::String(text) => Prefix::<String>::encode_prefix(text.as_str()),
                tuple => components(&parts(tuple)),
            };
            assert_eq!(text, pair[1], "{pair}");
        }
    }
}

//! What is expected against what is found.

use serde_json::Value as Json;

/// The first thing that is not as expected; none if all is. Objects may have more members
/// than are expected, lists may not have more items.
pub(super) fn difference(expected: &Json, found: &Json, place: &str) -> Option<String> {
    match (expected, found) {
        (Json::Object(expected), Json::Object(found)) => {
            expected.iter().find_map(|(name, expected)| match found.get(name) {
                Some(found) => difference(expected, found, &format!("{place}/{name}")),
                None => {
                    Some(format!("{place}/{name}: {expected} is expected, and it is not there"))
                }
            })
        }
        (Json::Array(expected), Json::Array(found)) => lists(expected, found, place),
        _ if same(expected, found) => None,
        _ => Some(format!("{place}: {expected} is expected, and it is {found}")),
    }
}

fn lists(expected: &[Json], found: &[Json], place: &str) -> Option<String> {
    if expected.len() != found.len() {
        let found = Json::from(found);
        let (wanted, noun) = (expected.len(), if expected.len() == 1 { "item" } else { "items" });
        return Some(format!("{place}: {wanted} {noun} expected, and it is {found}"));
    }
    let mut pairs = expected.iter().zip(found).enumerate();
    pairs.find_map(|(n, (expected, found))| difference(expected, found, &format!("{place}/{n}")))
}

/// Numbers are the same however they are written.
fn same(expected: &Json, found: &Json) -> bool {
    let numbers = expected.is_number() && found.is_number();
    expected == found || (numbers && expected.as_f64() == found.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(expected: &Json, found: &Json) -> String {
        difference(expected, found, "result").unwrap_or_default()
    }

    #[test]
    fn members_that_nobody_expects_are_no_difference() {
        let found = json!({ "left": 1, "name": "Lamp", "tags": [{ "a": 1, "b": 2 }] });
        for same in [json!({}), json!({ "left": 1.0 }), json!({ "tags": [{ "b": 2 }] })] {
            assert_eq!(told(&same, &found), "");
        }
    }

    #[test]
    fn a_difference_says_where_it_is() {
        let found = json!({ "left": 1, "tags": ["a"], "none": null });
        insta::assert_snapshot!(told(&json!({ "left": 2 }), &found), @"result/left: 2 is expected, and it is 1");
        insta::assert_snapshot!(told(&json!({ "tags": ["b"] }), &found), @r#"result/tags/0: "b" is expected, and it is "a""#);
        insta::assert_snapshot!(told(&json!({ "tags": [] }), &found), @r#"result/tags: 0 items expected, and it is ["a"]"#);
        insta::assert_snapshot!(told(&json!({ "gone": null }), &found), @"result/gone: null is expected, and it is not there");
        insta::assert_snapshot!(told(&json!([1]), &found), @r#"result: [1] is expected, and it is {"left":1,"none":null,"tags":["a"]}"#);
        assert_eq!(told(&json!({ "none": null }), &found), "");
    }
}

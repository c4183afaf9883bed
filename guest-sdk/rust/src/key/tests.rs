//! Order, round trip and prefixes, for keys that any program could make.

use std::fmt::Debug;

use proptest::prelude::*;

use super::{AsKey, Key, Prefix, decode, encode};

/// Texts that are likely to meet the separator, the escape and their neighbours.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        Just('\0'),
        Just('\u{8}'),
        Just('\t'),
        Just('\n'),
        Just('\u{b}'),
        Just(' '),
        Just('0'),
        Just(':'),
        Just('a'),
        Just('é'),
        Just('\u{ffff}'),
        Just(char::MAX),
        any::<char>(),
    ];
    prop::collection::vec(character, 0..5).prop_map(|characters| characters.into_iter().collect())
}

type Tuple = (String, i64, bool, String);

fn tuple() -> impl Strategy<Value = Tuple> {
    (text(), prop_oneof![-12..12_i64, any::<i64>()], any::<bool>(), text())
}

fn check<K: Key + AsKey<K> + Ord + Debug>(one: &K, other: &K) -> Result<(), TestCaseError> {
    prop_assert_eq!(encode(one).cmp(&encode(other)), one.cmp(other));
    prop_assert_eq!(&decode::<K>(&encode(one)).expect("a key that was encoded"), one);
    prop_assert!(!encode(one).is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn texts_keep_their_order(one in text(), other in text()) {
        check(&one, &other)?;
    }

    #[test]
    fn integers_keep_their_order(one in any::<i128>(), other in any::<i128>(), shift in 0..128_u32) {
        check(&(one >> shift), &(other >> shift))?;
        check(&(one.unsigned_abs() >> shift), &(other.unsigned_abs() >> shift))?;
    }

    #[test]
    fn small_integers_keep_their_order(one in any::<i8>(), other in any::<i8>()) {
        check(&one, &other)?;
        check(&i64::from(one), &i64::from(other))?;
        prop_assert_eq!(encode(&one), encode(&i64::from(one)));
    }

    #[test]
    fn tuples_keep_their_order(one in tuple(), other in tuple()) {
        check(&one, &other)?;
        check(&(one.0.clone(), one.1), &(other.0.clone(), other.1))?;
        check(&(one.3, one.0, one.2), &(other.3, other.0, other.2))?;
    }

    #[test]
    fn a_prefix_covers_the_keys_whose_first_components_it_is(one in tuple(), other in tuple()) {
        let key = encode(&other);
        let covers = |prefix: String| key.starts_with(&prefix);
        let first = Prefix::<Tuple>::encode_prefix(&(&one.0,));
        prop_assert_eq!(covers(first), one.0 == other.0);
        let second = Prefix::<Tuple>::encode_prefix(&(&one.0, one.1));
        prop_assert_eq!(covers(second), (&one.0, one.1) == (&other.0, other.1));
        let third = Prefix::<Tuple>::encode_prefix(&(&one.0, one.1, one.2));
        prop_assert_eq!(covers(third), (&one.0, one.1, one.2) == (&other.0, other.1, other.2));
    }

    #[test]
    fn the_beginning_of_a_text_covers_the_texts_that_begin_so(one in text(), other in text()) {
        let prefix = Prefix::<String>::encode_prefix(&one);
        prop_assert_eq!(encode(&other).starts_with(&prefix), other.starts_with(&one));
    }

    #[test]
    fn only_what_was_encoded_decodes(text in text()) {
        if let Ok(key) = decode::<Tuple>(&text) {
            prop_assert_eq!(encode(&key), text.clone());
        }
        if let Ok(key) = decode::<i64>(&text) {
            prop_assert_eq!(encode(&key), text.clone());
        }
        if let Ok(key) = decode::<String>(&text) {
            prop_assert_eq!(encode(&key), text);
        }
    }
}

#[test]
fn the_table_in_the_documentation_is_right() {
    assert_eq!(encode("lamp"), "lamp");
    assert_eq!(encode("two words, plain"), "two words, plain");
    assert_eq!(encode("a\tb\n\0"), "a\n9b\n:\n0");
    assert_eq!(encode(""), "\t");
    assert_eq!(encode(&7_u8), "A7");
    assert_eq!(encode(&1994_u16), "D1994");
    assert_eq!(encode(&-42_i64), "-y57");
    assert_eq!(encode(&true), "true");
    assert_eq!(encode(&("bob", 7_u32)), "bob\tA7");
    assert_eq!(encode(&(("a", 1_u8), "b")), encode(&("a", 1_u8, "b")));
}

#[test]
fn extremes_come_back() {
    assert_eq!(decode(&encode(&i128::MIN)), Ok(i128::MIN));
    assert_eq!(decode(&encode(&u128::MAX)), Ok(u128::MAX));
    assert_eq!(decode(&encode(&i64::MIN)), Ok(i64::MIN));
    assert_eq!(decode(&encode(&("", ""))), Ok((String::new(), String::new())));
}

#[test]
fn other_texts_are_refused() {
    for text in ["", "7", "B7", "A07", "A77", "-z9", "-", "A", "A+", "é7", "A7\tA7", "A7\t"] {
        assert!(decode::<i64>(text).is_err(), "{text:?}");
    }
    assert!(decode::<u8>("C256").is_err());
    assert!(decode::<u8>("-z8").is_err());
    assert!(decode::<bool>("yes").is_err());
    assert!(decode::<(String, String)>("one").is_err());
    assert!(decode::<String>("a\nz").is_err());
}

#[cfg(feature = "uuid")]
#[test]
fn uuids_are_themselves() {
    let text = "0190d5c0-8a2b-7c3d-9e4f-0123456789ab";
    let id: uuid::Uuid = decode(text).expect("a UUID");
    assert_eq!(encode(&id), text);
    assert!(decode::<uuid::Uuid>(&text.to_uppercase()).is_err());
}

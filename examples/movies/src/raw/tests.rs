//! Records as odd as the real ones, with made-up values.

use serde_json::{Value, json};

use super::{Date, RawMovie};
use crate::{Movie, Votes};

fn tidy(record: Value) -> (Movie, bool) {
    let record: RawMovie = serde_json::from_value(record).expect("a record of the right shape");
    record.tidy()
}

#[test]
fn a_tidy_record_stays_as_it_is() {
    let (movie, is_mended) = tidy(json!({
        "Title": "The Quiet Harbour", "US Gross": 146_083, "Worldwide Gross": 150_000,
        "Release Date": "Jun 12 1998", "Major Genre": "Drama", "Director": null,
        "Running Time min": null, "IMDB Rating": 6.1, "IMDB Votes": 1_000,
    }));
    let expected = Movie {
        title: Some("The Quiet Harbour".to_owned()),
        released: Some("1998-06-12".to_owned()),
        year: Some(1998),
        genre: Some("Drama".to_owned()),
        director: None,
        gross: Some(150_000),
        imported: Votes { n_votes: 1_000, sum_thousandths: 6_100_000 },
        added: Votes::default(),
    };
    assert_eq!((movie, is_mended), (expected, false));
}

#[test]
fn titles_are_numbers_missing_or_turned_round() {
    let cases = [
        (json!(1999), Some("1999"), true),
        (json!(null), None, true),
        (json!("Siege of the Mill, The"), Some("The Siege of the Mill"), true),
        (json!("  Two  Spaces "), Some("Two Spaces"), true),
        (json!("  "), None, true),
        (json!("Theory of A"), Some("Theory of A"), false),
    ];
    for (title, expected, is_mended) in cases {
        let (movie, mended) = tidy(json!({ "Title": title }));
        assert_eq!((movie.title.as_deref(), mended), (expected, is_mended), "{title}");
    }
}

#[test]
fn dates_come_in_many_forms_and_centuries() {
    let cases = [
        ("Jun 12 1998", Some(("1998-06-12", false))),
        ("Dec 31 2046", Some(("1946-12-31", true))),
        ("Jan 28 2011", Some(("2011-01-28", false))),
        ("12-Jun-98", Some(("1998-06-12", true))),
        ("3-Mar-07", Some(("2007-03-03", true))),
        ("1963-02-29", Some(("1963-02", false))),
        ("Feb 30 1964", Some(("1964-02", false))),
        ("1929", Some(("1929", false))),
        ("someday", None),
        ("", None),
    ];
    for (written, expected) in cases {
        let found = Date::parse(written);
        let found = found.as_ref().map(|date| (date.text.as_str(), date.is_mended));
        assert_eq!(found, expected, "{written}");
    }
}

#[test]
fn half_a_rating_is_none() {
    for record in [json!({ "IMDB Rating": 7 }), json!({ "IMDB Votes": 9 }), json!({})] {
        assert_eq!(tidy(record).0.imported, Votes::default());
    }
}

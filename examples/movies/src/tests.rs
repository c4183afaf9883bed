//! Loading, rating and reading, on made-up records.

use chancery_sdk::testing::{Given, given};
use serde_json::{Value, json};

use super::{
    ByGenre, ByYear, LoadMovies, Loaded, Movies, RateMovie, RawMovie, StatsOf, TopRated, by_genre,
    by_year, load_movies, rate_movie, stats, top_rated,
};

fn records() -> LoadMovies {
    let records = json!([
        { "Title": "Dust", "Release Date": "May 01 1953", "Major Genre": "Western",
          "IMDB Rating": 8.5, "IMDB Votes": 5_000, "Worldwide Gross": 100 },
        { "Title": "Dust", "Release Date": "Jun 01 1953", "Major Genre": "Western",
          "IMDB Rating": 9.1, "IMDB Votes": 12 },
        { "Title": "Salt, The", "Release Date": "Dec 31 2046", "Major Genre": "Drama",
          "IMDB Rating": 7, "IMDB Votes": 2_000, "Worldwide Gross": 50 },
        { "Title": 1999, "Release Date": "Apr 01 2001", "Major Genre": "Western" },
        { "Title": null, "Release Date": "Apr 01 2001", "Major Genre": null },
    ]);
    let movies: Vec<RawMovie> = serde_json::from_value(records).expect("records");
    LoadMovies { movies }
}

fn loaded() -> Given {
    given::<Movies>().when(load_movies, records()).given()
}

fn keys(lines: &[super::MovieLine]) -> Vec<&str> {
    lines.iter().map(|line| line.key.as_str()).collect()
}

fn genre_page(given: &Given, limit: u16, after: Option<&str>) -> super::GenrePage {
    let (genre, after) = ("Western".to_owned(), after.map(str::to_owned));
    given.query(by_genre, ByGenre { genre, limit: Some(limit), after }).expect("a page")
}

#[test]
fn loading_twice_is_loading_once() {
    given::<Movies>()
        .when(load_movies, records())
        .then_ok(&Loaded { loaded: 5, replaced: 0, normalised: 3 })
        .when(load_movies, records())
        .then_ok(&Loaded { loaded: 0, replaced: 5, normalised: 3 })
        .then_unchanged();
}

#[test]
fn keys_say_title_and_year() {
    let given = loaded();
    for key in ["dust-1953", "dust-1953-2", "the-salt-1946", "1999-2001", "untitled-2001"] {
        let movie = given.query_named("movie", &json!({ "key": key }));
        assert_eq!(movie.expect("it was loaded")["key"], key);
    }
    let unknown = given.query_named("movie", &json!({ "key": "mud-1953" }));
    assert_eq!(unknown.expect_err("nobody loaded it").code, "unknown-movie");
}

#[test]
fn a_genre_is_read_page_by_page() {
    let given = loaded();
    let first = genre_page(&given, 2, None);
    assert_eq!((first.total, keys(&first.movies)), (3, vec!["1999-2001", "dust-1953"]));
    let last = genre_page(&given, 2, first.next.as_deref());
    assert_eq!((last.next, keys(&last.movies)), (None, vec!["dust-1953-2"]));
}

#[test]
fn ranking_follows_ratings_that_are_added() {
    let top = |given: &Given, min_votes: u64| {
        let input = TopRated { limit: None, genre: None, min_votes: Some(min_votes) };
        let lines = given.query(top_rated, input).expect("a list");
        keys(&lines).join(" ")
    };
    let given = loaded();
    assert_eq!(top(&given, 1_000), "dust-1953 the-salt-1946");
    assert_eq!(top(&given, 1), "dust-1953-2 dust-1953 the-salt-1946");

    let rate = || RateMovie { key: "untitled-2001".to_owned(), rating: 10 };
    let given = given.when(rate_movie, rate()).when(load_movies, records()).given();
    assert_eq!(top(&given, 1), "untitled-2001 dust-1953-2 dust-1953 the-salt-1946");
}

#[test]
fn years_and_genres_are_summed_up() {
    let given = loaded();
    let years = given.query(by_year, ByYear { from: None, to: Some(1999) }).expect("years");
    let years: Value = serde_json::to_value(years).expect("JSON");
    let expected = json!([
        { "year": 1946, "count": 1, "mean_rating": 7.0, "gross": 50 },
        { "year": 1953, "count": 2, "mean_rating": 8.8, "gross": 100 },
    ]);
    assert_eq!(years, expected);

    let stats = given.query(stats, StatsOf {}).expect("stats");
    assert_eq!((stats.movies, stats.rated, stats.untitled), (5, 3, 1));
    assert_eq!((stats.first_year, stats.last_year), (Some(1946), Some(2001)));
    assert_eq!(stats.genres["Western"], 3);
}

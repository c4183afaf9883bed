//! Movies: real, untidy data, loaded by commands and read in several ways.
//!
//! The records are those of `movies.json` in the npm package `vega-datasets`.
//! `raw` makes rows of them, `commands` keeps the rows, `queries` finds,
//! ranks and sums them.

mod commands;
mod queries;
mod raw;
#[cfg(test)]
mod tests;

use chancery_sdk::{Index, Indexed, Rejection, Table, app, reject};
use serde::{Deserialize, Serialize};

pub use commands::{LoadMovies, Loaded, RateMovie, Rated, load_movies, rate_movie};
pub use queries::{
    ByGenre, ByYear, GenrePage, MovieByKey, MovieLine, MovieView, Stats, StatsOf, TopRated,
    YearLine, by_genre, by_year, movie, stats, top_rated,
};
pub use raw::RawMovie;

app! {
    /// Movies by key, genre, rating and year.
    pub struct Movies;

    tables {
        /// Movies by title and year, such as `gone-with-the-wind-1939`.
        MOVIES,
    }
    queries { movie, by_genre, top_rated, by_year, stats }
    commands { load_movies, rate_movie }
}

/// Movies by a key made of title and year.
pub const MOVIES: Indexed<String, Movie> =
    Indexed::new(Table::new("movies"), &[&BY_GENRE, &BY_RATING]);

/// Movies of a genre, in the order of their keys.
pub const BY_GENRE: Index<String, String, Movie> =
    Index::new("movies-by-genre", |_, movie| movie.genre.iter().cloned().collect());

/// Rated movies by genre and thousandths of their rating. Each is there twice: once
/// under its genre, once under [`ANY_GENRE`].
pub const BY_RATING: Index<(String, u32), String, Movie> =
    Index::new("movies-by-rating", |_, movie| {
        let Some(rating) = movie.rating_thousandths() else {
            return Vec::new();
        };
        let shelves = movie.genre.iter().cloned().chain([ANY_GENRE.to_owned()]);
        shelves.map(|shelf| (shelf, rating)).collect()
    });

/// Where [`BY_RATING`] has the movies of all genres; no genre has this name.
pub const ANY_GENRE: &str = "";

/// A movie, tidied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Movie {
    /// None if the record has none.
    pub title: Option<String>,
    /// The date of release as `1998-06-12`, or as much of it as could be read.
    pub released: Option<String>,
    /// The year of release.
    pub year: Option<u16>,
    /// Such as `Drama`.
    pub genre: Option<String>,
    /// Who directed it.
    pub director: Option<String>,
    /// What it earned worldwide, in US dollars.
    pub gross: Option<u64>,
    /// The record's own rating.
    pub imported: Votes,
    /// What [`rate_movie`] has added.
    pub added: Votes,
}

/// Ratings from 0 to 10, as a sum that can be added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Votes {
    /// How many there are.
    pub n_votes: u64,
    /// The sum of all, in thousandths.
    pub sum_thousandths: u64,
}

impl Movie {
    /// How many people rated it.
    pub fn n_votes(&self) -> u64 {
        self.imported.n_votes + self.added.n_votes
    }

    /// The mean rating in thousandths; none if nobody rated it. Whole numbers, so
    /// that it can be part of a key.
    pub fn rating_thousandths(&self) -> Option<u32> {
        let sum = self.imported.sum_thousandths + self.added.sum_thousandths;
        u32::try_from(sum.checked_div(self.n_votes())?).ok()
    }

    /// The mean rating, from 0 to 10.
    pub fn rating(&self) -> Option<f64> {
        Some(f64::from(self.rating_thousandths()?) / 1_000.0)
    }
}

fn unknown_movie(key: &str) -> Rejection {
    reject("unknown-movie", format!("There is no movie `{key}`."))
        .with_details(&serde_json::json!({ "key": key }))
}

//! What changes the collection.

use chancery_sdk::{Rejection, Transaction, log};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MOVIES, Movie, RawMovie, unknown_movie};

/// A key is at most this long, before year and number.
const SLUG_BYTES_MAX: usize = 80;

/// Loads records of `movies.json` as they are. Loading them again changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LoadMovies {
    /// The records; as many as fit a request.
    pub movies: Vec<RawMovie>,
}

/// What became of the records.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Loaded {
    /// How many were new.
    pub loaded: u64,
    /// How many were there already and have been replaced; their added ratings
    /// are kept.
    pub replaced: u64,
    /// How many of both needed something put right: a title or a date.
    pub normalised: u64,
}

/// Loads records.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn load_movies(tx: &mut Transaction, input: LoadMovies) -> Result<Loaded, Rejection> {
    let mut counts = Loaded::default();
    for record in input.movies {
        let (mut movie, is_mended) = record.tidy();
        let (key, before) = place(tx, &movie);
        match before {
            Some(before) => {
                movie.added = before.added;
                counts.replaced += 1;
            }
            None => counts.loaded += 1,
        }
        counts.normalised += u64::from(is_mended);
        MOVIES.put(tx, &key, &movie);
    }
    log::info(format!("{} movies loaded, {} replaced", counts.loaded, counts.replaced));
    Ok(counts)
}

/// The key of a movie, and what is there. Two movies of one title and year are told
/// apart by date and director, and the second one's key ends in `-2`.
fn place(tx: &Transaction, movie: &Movie) -> (String, Option<Movie>) {
    let first = key(movie);
    let mut candidate = first.clone();
    for number in 2_u64.. {
        match MOVIES.get(tx, &candidate) {
            Some(other) if !is_same(&other, movie) => candidate = format!("{first}-{number}"),
            before => return (candidate, before),
        }
    }
    (candidate, None)
}

fn is_same(one: &Movie, other: &Movie) -> bool {
    (&one.title, &one.released, &one.director) == (&other.title, &other.released, &other.director)
}

/// Title and year in lower case, such as `gone-with-the-wind-1939`.
fn key(movie: &Movie) -> String {
    let title = movie.title.as_deref().unwrap_or("untitled");
    let mut slug = String::new();
    for character in title.chars().filter(|character| *character != '\'') {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_BYTES_MAX);
    let slug = slug.trim_end_matches('-');
    match movie.year {
        Some(year) => format!("{slug}-{year}"),
        None => slug.to_owned(),
    }
}

/// Adds a rating to a movie.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct RateMovie {
    /// The movie's key, such as `gone-with-the-wind-1939`.
    pub key: String,
    /// From 0 to 10.
    #[schemars(range(min = 0, max = 10))]
    pub rating: u8,
}

/// A movie's rating, with the one just added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rated {
    /// The movie's key.
    pub key: String,
    /// The mean of all its ratings, from 0 to 10.
    pub rating: Option<f64>,
    /// How many there are.
    pub votes: u64,
}

/// Adds a rating.
///
/// # Errors
///
/// `unknown-movie`.
pub fn rate_movie(tx: &mut Transaction, input: RateMovie) -> Result<Rated, Rejection> {
    let RateMovie { key, rating } = input;
    let mut movie = MOVIES.get(tx, &key).ok_or_else(|| unknown_movie(&key))?;
    movie.added.n_votes += 1;
    movie.added.sum_thousandths += u64::from(rating.min(10)) * 1_000;
    MOVIES.put(tx, &key, &movie);
    Ok(Rated { key, rating: movie.rating(), votes: movie.n_votes() })
}
